"""The guard rails of a tenant over HTTP."""

from typing import Any

import pytest

from postroom.database.engine import Database
from postroom.settings import Settings
from postroom.tenants.keys import Scope
from tests.api.conftest import Caller, calling, problem

RAILS = "/api/v1/settings/guard-rails"


async def test_defaults_hold_until_somebody_chooses(alice: Caller, decoy: Caller) -> None:
    rails = await alice.get("/settings/guard-rails")
    assert rails["bounce_rate"] == {"warn_percent": 3.0, "pause_percent": 5.0, "minimum_sample": 200}
    assert rails["complaint_rate"] == {"warn_percent": 0.1, "pause_percent": 0.3, "minimum_sample": 1000}
    chosen = {"bounce_rate": {"pause_percent": 8, "warn_percent": None}, "policy_refusals": {"pause_count": None}}
    answer = await alice.wire.put(RAILS, json=chosen)
    assert answer.status_code == 200, answer.text
    assert (await alice.get("/settings/guard-rails")) == answer.json()
    assert answer.json()["bounce_rate"] == {"warn_percent": None, "pause_percent": 8.0, "minimum_sample": 200}
    assert answer.json()["policy_refusals"] == {"pause_count": None, "within_minutes": 10}
    assert (await decoy.get("/settings/guard-rails")) == rails


@pytest.mark.parametrize(
    ("body", "code", "places"),
    [
        ({"bounce_rate": {"pause_percent": 0}}, "out_of_range", ["/bounce_rate/pause_percent"]),
        ({"bounce_rate": {"pause_percent": 101}}, "out_of_range", ["/bounce_rate/pause_percent"]),
        ({"bounce_rate": {"minimum_sample": 0}}, "out_of_range", ["/bounce_rate/minimum_sample"]),
        ({"bounce_rate": {"pause_percent": 2}}, "warning_after_pause", ["/bounce_rate/warn_percent"]),
        ({"policy_refusals": {"within_minutes": None}}, "wrong_type", ["/policy_refusals/within_minutes"]),
        ({"bounces": {}}, "unknown_field", ["/bounces"]),
    ],
)
async def test_what_makes_no_sense_is_refused(alice: Caller, body: Any, code: str, places: list[str]) -> None:
    assert problem(await alice.wire.put(RAILS, json=body)) == (422, code, places)


async def test_only_who_approves_may_loosen_them(alice: Caller, database: Database, settings: Settings) -> None:
    scopes = (Scope.CAMPAIGNS_READ, Scope.CAMPAIGNS_WRITE)
    url = str(alice.wire.base_url)
    async with calling(database, settings, url, alice.tenant, scopes) as writer:
        assert (await writer.wire.get(RAILS)).status_code == 200
        assert problem(await writer.wire.put(RAILS, json={}))[:2] == (403, "insufficient_scope")
