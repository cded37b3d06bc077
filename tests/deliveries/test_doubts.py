"""Who may say that nobody has a message: the provider that had it, and none when several had it."""

from postroom.channels.base import Answer, Phase, Verdict
from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Database
from postroom.deliveries.reconciling import Doubt, Resolution, doubts
from postroom.timing import Timing
from tests.fixtures.database import Tenants
from tests.fixtures.house import WORKER
from tests.fixtures.ledger import Bench, claimed
from tests.fixtures.rows import Draft

TIMING = Timing()


async def never_answered(bench: Bench, provider: str) -> list[Doubt]:
    """Hand off to a provider that never answers, and ask what there is to be asked about."""
    answer = Answer(Verdict.UNKNOWN, Phase.ANSWER, "outcome_unknown", provider)
    assert await bench.ledger.mark(bench.claim, b"bytes", provider)
    async with bench.database.system_transaction() as connection:
        await Resolution(TIMING, WORKER).lose_track(connection, bench.claim, answer)
    await bench.set("not_before = now()")
    async with bench.database.system_transaction() as connection:
        return await doubts(connection, bench.carrier_id, ChannelKind.EMAIL, 10)


async def again(bench: Bench) -> None:
    """Claim it once more, as after a policy's decision."""
    await bench.set(f"state = 'claimed', token = '{bench.claim.token}', lease_until = now() + interval '1 minute'")


async def test_the_provider_that_had_it_can_be_asked(database: Database, tenants: Tenants) -> None:
    draft = Draft(tenants.alice.id, channels=(ChannelKind.EMAIL,), metadata={"email": "ada@example.com"})
    bench = await claimed(database, draft, TIMING)
    [doubt] = await never_answered(bench, "second")
    assert doubt.provider == "second"
    await again(bench)
    [doubt] = await never_answered(bench, "second")
    assert doubt.provider == "second"
    await again(bench)
    [doubt] = await never_answered(bench, "first")
    assert doubt.provider is None
