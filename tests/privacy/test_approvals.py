"""An erasure strikes a person from drafts, and what was approved of them stays approved."""

import pytest

from postroom.campaigns.planning.approval import Approvals, Seen
from postroom.campaigns.planning.checking import LaunchChecks
from postroom.campaigns.planning.drafting import Drafts
from postroom.campaigns.planning.launching import Launches
from postroom.campaigns.planning.terms import Terms
from postroom.contracts.vocabulary import TaskState
from postroom.database.engine import Database
from postroom.errors import Conflict
from postroom.identity import new_id
from postroom.tenants.gate import Identity
from postroom.timing import Timing
from tests.campaigns.ground import letter, people
from tests.fixtures.database import Tenants
from tests.fixtures.rows import change
from tests.privacy.conftest import Office

CAMPAIGN = "INSERT INTO campaigns (id, tenant_id, name, api_key_id) VALUES (%s, %s, 'c', %s)"
RULE = {"any": [{"user_ids": ["p0", "p1"]}, {"user_ids": ["p2"]}]}
TERMS = Terms(name="Mail", channel="email", rule=RULE, content={"template": "sale"})


async def test_what_was_approved_goes_out_without_whoever_was_erased(
    office: Office, database: Database, tenants: Tenants
) -> None:
    alice = tenants.alice
    author, reviewer = (Identity(alice.id, alice.slug, new_id(), frozenset()) for _ in range(2))
    await letter(database, alice)
    await people(database, alice, 3)
    drafts, campaign = Drafts(database, Timing()), new_id()
    approvals = Approvals(database, LaunchChecks())
    await change(database, CAMPAIGN, campaign, alice.id, author.key_id)
    task, _ = await drafts.add(author, campaign, TERMS, None)
    other, _ = await drafts.add(author, campaign, TERMS, None)
    task = await approvals.submit(author, task.id)
    await approvals.approve(reviewer, task.id, Seen(task.content_hash or b"", task.counted or 0))

    await office.erase(alice, "p1")

    now = await drafts.get(alice.id, task.id)
    assert now.rule == {"any": [{"user_ids": ["p0"]}, {"user_ids": ["p2"]}]}
    assert (now.is_approved, now.approved_hash != task.content_hash) == (True, True)
    launched, _ = await Launches(database, drafts, approvals).launch(author, task.id, None)
    assert launched.state is TaskState.SCHEDULED
    with pytest.raises(Conflict):  # a draft that was read before names the person still
        await drafts.replace(author, other.id, TERMS, other.version)
