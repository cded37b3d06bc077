"""A page and a notification alone end in the same states for the same inputs."""

import os
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postroom.database.engine import Database
from tests.pages.living import live
from tests.pages.wishes import DAYS, WISHES, Days, Wish

pytestmark = pytest.mark.timeout(300)

ALONE = 1
PAGE = 500
EXAMPLES = round(float(os.environ.get("POSTROOM_SEARCH_BUDGET", "1")) * 16)
FINAL = {"sent", "skipped", "failed", "expired", "cancelled"}


@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(wishes=st.lists(WISHES, min_size=2, max_size=8), days=DAYS)
async def test_the_same_ends_for_the_same_inputs(database: Database, wishes: Sequence[Wish], days: Days) -> None:
    alone = await live(database, wishes, days, ALONE)
    together = await live(database, wishes, days, PAGE)
    assert together == alone
    assert {end.state for end in together} <= FINAL
