"""`python -m benchmarks.unmarked`: a worker without marks, to see what they cost; never to send with."""

import asyncio

import worker
from postroom.deliveries.ledger import Claim, Ledger


async def unwritten(self: Ledger, claim: Claim, message: bytes | None, provider: str) -> bool:  # noqa: ARG001 - as the mark
    """Say yes to everything, after one turn of the loop."""
    await asyncio.sleep(0)
    return True


if __name__ == "__main__":
    Ledger.mark = unwritten  # type: ignore[method-assign]
    worker.main()
