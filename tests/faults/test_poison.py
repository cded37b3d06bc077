"""A message at which its server hangs up every time ends by its own plan, and holds nobody else up."""

import asyncio

import pytest

from tests.faults.office import Office


@pytest.mark.parametrize("poison", ["drop-rcpt", "drop-data"])
async def test_it_pays_for_itself_while_others_get_through(office: Office, poison: str) -> None:
    tenant = await office.tenant()
    one = await office.send(tenant, poison)
    ending = asyncio.create_task(office.ended(one))
    others = []
    while not ending.done():
        others.append(await office.send(tenant, "ok"))
        await asyncio.sleep(0.3)
    row = await ending
    assert (row["state"], row["reason"]) == ("failed", "retries_exhausted"), "an outage would never end by the plan"
    assert {(await office.ended(other))["state"] for other in others} == {"sent"}
    assert await office.copies(one) == []
