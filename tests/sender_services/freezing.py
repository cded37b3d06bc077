"""Has services frozen by refused connections."""

import asyncio

from tests.channels.email.scripted import BUSY, Scripted
from tests.sender_services.office import Office, Worker, called


async def frozen(office: Office, worker: Worker, server: Scripted, **wishes: object) -> str:
    """Have a service that three refused connections froze; returns its name in the ledger."""
    service_id = await office.service(f"smtp://127.0.0.1:{server.port}", **wishes)
    server.push("BANNER", *[BUSY] * 3)
    for _ in range(3):
        await worker.send(office.parcel())
        await asyncio.sleep(0.05)  # what the process itself remembers of the outage
    assert (await office.row(service_id))["status"] == "frozen"
    return called(service_id)
