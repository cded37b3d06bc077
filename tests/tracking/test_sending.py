"""A task's mail as it leaves, and what comes back over it: from the launch to the click, through real SMTP."""

import email
import email.policy
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from uuid import UUID

import pytest

from postroom.channels.base import Answer, Evidence, Mark, Parcel, Phase, Suspect, Verdict
from postroom.contracts.vocabulary import ChannelKind
from postroom.database.engine import Database
from postroom.templates.content import Script
from postroom.timing import Timing
from postroom.tracking.recording import Touch, TouchRecorder
from postroom.tracking.tokens import Target, TouchKind
from tests.fixtures.database import Tenants
from tests.fixtures.links import PUBLIC_URL, TOKENS
from tests.fixtures.rows import change, rows
from tests.fixtures.sink import Sink
from tests.fixtures.tasks import Mailroom, Sale, by_state, launched, open_mailroom, people

TIMING = Timing()
WORDS = Script(
    title="Spring",
    html='<p><a href="https://shop.example.com/spring?a=1&amp;b=2">Buy</a> '
    '<a href="https://shop.example.com/for/{{ contact.name | urlencode }}">Yours</a> '
    '<a href="{{ unsubscribe_url }}">Stop</a></p>',
)
TRACKED = """UPDATE campaign_tasks SET tracking = '{"opens": true, "clicks": true}' WHERE id = %s"""


class Refusing:
    """A provider that knows one mailbox less than there are people."""

    kind = ChannelKind.EMAIL

    def __init__(self, unknown: str) -> None:
        self._unknown = unknown

    async def hand_off(self, parcel: Parcel, mark: Mark) -> Answer:
        if parcel.address == self._unknown:
            return Answer(Verdict.REJECTED, Phase.ENVELOPE, "mailbox_unknown", "relay", 550, "5.1.1")
        assert await mark(b"", "relay")
        return Answer(Verdict.ACCEPTED, Phase.ANSWER, "accepted", "relay", 250)

    async def evidence(self, suspects: Sequence[Suspect]) -> Mapping[UUID, Evidence]:
        return {suspect.delivery_id: Evidence.FOUND for suspect in suspects}

    async def close(self) -> None:
        """There is nothing to let go."""


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    async with Sink.open() as opened:
        yield opened


@pytest.fixture
async def mailroom(database: Database, sink: Sink) -> AsyncIterator[Mailroom]:
    async with open_mailroom(database, sink, TIMING) as opened:
        yield opened


def parts(raw: bytes) -> tuple[str, str]:
    """The words of a mail: plain, and as HTML."""
    message = email.message_from_bytes(raw, policy=email.policy.default)
    found = [message.get_body((kind,)) for kind in ("plain", "html")]
    plain, html = (one.get_content() for one in found if one is not None)
    return plain, html


async def test_a_tasks_mail_tells_of_its_opens_and_clicks(
    database: Database, tenants: Tenants, mailroom: Mailroom, sink: Sink
) -> None:
    await people(database, tenants.alice.id, 8)
    task = await launched(database, Sale(tenants.alice.id, words=(WORDS,)))
    await change(database, TRACKED, task)
    await mailroom.run(tenants.alice.id, task)
    recorder = TouchRecorder(database, TIMING)
    for letter in sink.letters:
        plain, html = parts(letter.raw)
        assert "https://shop.example.com/spring?a=1&b=2" in plain
        assert "/track/" not in plain
        links = re.findall(r'href="([^"]+)"', html)
        read = [TOKENS.clicked(link.removeprefix(f"{PUBLIC_URL}/track/click/")) for link in links[:2]]
        mail, common = read[0] or pytest.fail("no token")
        assert common == Target("https://shop.example.com/spring?a=1&b=2", 1)
        assert (read[1] or pytest.fail("no token"))[1].position == 0
        assert links[2].startswith(f"{PUBLIC_URL}/u/")
        pixel = re.search(r'/track/open/([^"]+)\.gif"', html) or pytest.fail("no image")
        assert TOKENS.opened(pixel[1]) == mail
        recorder.note(Touch(mail, TouchKind.CLICK, 1))
    await recorder.close()
    [found] = await rows(
        database,
        "SELECT count(DISTINCT delivery_id) AS mails, min(link) AS link FROM delivery_touches WHERE task_id = %s",
        task,
    )
    assert found == {"mails": 8, "link": 1}


async def test_a_mailbox_that_is_not_there_is_not_written_to_again(
    database: Database, tenants: Tenants, sink: Sink
) -> None:
    await people(database, tenants.alice.id, 3)
    async with open_mailroom(database, sink, TIMING, Refusing("user2@example.org")) as mailroom:
        first = await launched(database, Sale(tenants.alice.id))
        await mailroom.run(tenants.alice.id, first)
        again = await launched(database, Sale(tenants.alice.id))
        await mailroom.run(tenants.alice.id, again)
    assert await by_state(database, first) == {"accepted": 2, "rejected": 1}
    assert await by_state(database, again) == {"accepted": 2, "skipped": 1}
    found = await rows(
        database, "SELECT scope, reason, source FROM suppressions WHERE tenant_id = %s", tenants.alice.id
    )
    assert found == [{"scope": "all", "reason": "bounced", "source": "feedback"}]
