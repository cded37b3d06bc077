"""`python -m benchmarks.unmarked`: a worker whose marks are not written, to see what the mark costs; never to send with."""

import asyncio

import worker
from postroom.deliveries.ledger import Claim, Ledger


async def unwritten(_ledger: Ledger, _claim: Claim, _message: bytes | None, _provider: str) -> bool:
    """Say yes to everything, after one turn of the loop."""
    await asyncio.sleep(0)
    return True


if __name__ == "__main__":
    Ledger.mark = unwritten  # type: ignore[method-assign]
    worker.main()
