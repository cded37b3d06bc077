"""One message over one connection: envelope, body, answer, knowing at every step what a failure means."""

import asyncio
from dataclasses import dataclass
from uuid import UUID

from postroom.channels.base import Answer, Mark, Phase, Verdict
from postroom.channels.email.answers import Step, clean_detail, lost, refused
from postroom.channels.email.connection import Connection
from postroom.channels.email.replies import Question, Reply
from postroom.contracts.vocabulary import Priority
from postroom.timing import Timing

START_INPUT = 354
BAD_SEQUENCE = 503
LONE_DOT = b".\r\n"


@dataclass(frozen=True, slots=True)
class Letter:
    """Exactly what goes over the wire: two checked addresses and the bytes; how urgent it is, and whose it is."""

    sender: str
    recipient: str
    message: bytes
    priority: Priority
    tenant_id: UUID

    @property
    def international(self) -> bool:
        """Whether a local part is beyond ASCII, so that the server must know SMTPUTF8 (RFC 6531)."""
        return not (self.sender.isascii() and self.recipient.isascii())


class Conversation:
    """One letter over one connection; nothing of its body is on the wire before `send`.

    Where the server announces PIPELINING (RFC 2920) the envelope goes out in one write, DATA included, and may ride
    behind the final dot of another letter. Elsewhere each command waits for the answer to the one before.
    """

    def __init__(self, connection: Connection, letter: Letter, timing: Timing) -> None:
        self.connection = connection
        self.first = connection.used == 0
        self._wire = connection.wire
        self._provider = connection.provider.name
        self._letter = letter
        self._timing = timing
        self._patience = timing.command_patience.total_seconds()
        self._commands: dict[Step, bytes] = {}
        self._envelope: Question | None = None
        self._body: Question | None = None
        self._body_phase = Phase.ANSWER

    def impossible(self) -> Answer | None:
        """Say why this server can never take this letter; asked before anything is said."""
        if self._letter.international and not self._offers("smtputf8"):
            return Answer(Verdict.REJECTED, Phase.ENVELOPE, "smtputf8_unsupported", self._provider)
        return None

    @property
    def pipelined(self) -> bool:
        """Whether the envelope may be said in one write, behind the final dot of another letter too."""
        return self._offers("pipelining")

    def spell(self) -> tuple[bytes, int]:
        """Return the envelope in one piece and how many replies it asks for; it must be said next."""
        reset = {Step.RSET: b"RSET\r\n"} if self.connection.envelope_open else {}
        self.connection.envelope_open = True
        self.connection.used += 1
        self._commands = reset | {
            Step.MAIL: self._mail(),
            Step.RCPT: f"RCPT TO:<{self._letter.recipient}>\r\n".encode(),
            Step.DATA: b"DATA\r\n",
        }
        return b"".join(self._commands.values()), len(self._commands)

    def expect(self, envelope: Question) -> None:
        """Take over the replies to an envelope that went out behind another letter."""
        self._envelope = envelope

    async def invited(self) -> Answer | None:
        """Say the envelope, if it is not said yet; return None once the server asks for the body, else its refusal.

        Only 354 lets a body go, which also uncovers every reply that slipped by one. A cancelled wait ends the
        connection.
        """
        if self._envelope is None:
            octets, replies = self.spell()
            if not self.pipelined:
                return await self._step_by_step()
            [self._envelope] = self._wire.ask(octets, replies)
        await self._wire.heard(self._envelope, self._patience)
        return self._judged(self._envelope, list(self._commands))

    async def marked(self, mark: Mark) -> Answer | None:
        """Return None once the mark has said yes in time, else why the body stays here.

        Then the connection has to be dropped: there is no RSET inside DATA.
        A slow mark keeps the server waiting; a body that comes late may be somebody else's by now, so a process that
        was paused must not write the final dot.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timing.mark_to_body.total_seconds()
        if not await mark(self._letter.message, self._provider):
            return Answer(Verdict.WITHDRAWN, Phase.MARK, "withdrawn", self._provider)
        if loop.time() > deadline:
            return Answer(Verdict.DEFERRED, Phase.MARK, "late_after_mark", self._provider)
        if self._wire.lost:
            return lost(self._wire.lost, Phase.MARK, self._provider)
        return None

    def send(self, follower: "Conversation | None" = None) -> None:
        """Write the body; the follower's envelope rides behind the final dot, in the same write."""
        octets = dotted(self._letter.message)
        self.connection.envelope_open = False
        if follower:
            envelope, replies = follower.spell()
            self._body, said = self._wire.ask(octets + envelope, 1, replies)
            follower.expect(said)
        else:
            [self._body] = self._wire.ask(octets, 1)
        self._body_phase = Phase.BODY if self._wire.unsent else Phase.ANSWER

    async def answered(self) -> Answer:
        """Wait for the answer to the body, also when cancelled: it decides what the ledger will say."""
        if self._body is None:
            raise RuntimeError("Nothing was sent.")
        await self._wire.heard_at_last(self._body, self._timing.hand_off_patience.total_seconds())
        if self._body.loss:
            return lost(self._body.loss, self._body_phase, self._provider)
        [reply] = self._body.replies
        if not reply.positive:
            return self._refused(reply, Step.BODY)
        detail = clean_detail(reply.text)
        return Answer(
            Verdict.ACCEPTED, Phase.ANSWER, "accepted", self._provider, reply.code, reply.enhanced, detail=detail
        )

    async def retreat(self) -> None:
        """Leave a refused envelope behind, so that another letter may follow.

        A server may ask for the body although it refused every recipient; a lone dot is what RFC 2920 section 3.1
        answers to that. Had it taken the recipient, the dot would send an empty message: then the connection ends.
        """
        said = dict(zip(self._commands, self._envelope.replies, strict=False)) if self._envelope else {}
        if Step.DATA not in said or said[Step.DATA].code != START_INPUT:
            return
        if not said[Step.RCPT].positive:
            [dot] = self._wire.ask(LONE_DOT, 1)
            await self._wire.heard(dot, self._patience)
            if dot.replies and (dot.replies[0].temporary or dot.replies[0].permanent):
                return
        self._wire.abort("The server asked for a body that nobody has.")

    def _mail(self) -> bytes:
        message = self._letter.message
        parameters = f" SIZE={len(message)}" if self._offers("size") else ""
        if not message.isascii() and self._offers("8bitmime"):
            parameters += " BODY=8BITMIME"
        if self._letter.international:
            parameters += " SMTPUTF8"
        return f"MAIL FROM:<{self._letter.sender}>{parameters}\r\n".encode()

    async def _step_by_step(self) -> Answer | None:
        for step, command in self._commands.items():
            [question] = self._wire.ask(command, 1)
            await self._wire.heard(question, self._patience)
            if refusal := self._judged(question, [step]):
                return refusal
        return None

    def _judged(self, question: Question, steps: list[Step]) -> Answer | None:
        """Return the first refusal; a connection that was lost behind one does not take it back."""
        for step, reply in zip(steps, question.replies, strict=False):
            if reply.code != START_INPUT if step is Step.DATA else not reply.positive:
                return self._refused(reply, step)
        if question.loss:
            return lost(question.loss, steps[len(question.replies)].phase, self._provider)
        if self._wire.lost:  # the answer to the letter before ended the connection, whatever it said behind that
            return lost(self._wire.lost, steps[-1].phase, self._provider)
        return None

    def _refused(self, reply: Reply, step: Step) -> Answer:
        answer = refused(reply, step, self._provider)
        if answer.verdict in {Verdict.UNAVAILABLE, Verdict.UNKNOWN}:
            self._wire.farewell()
        return answer

    def _offers(self, feature: str) -> bool:
        return feature in self.connection.features


def dotted(message: bytes) -> bytes:
    """Return the message with its leading dots doubled (RFC 5321 section 4.5.2), a last line end and the final dot."""
    stuffed = message.replace(b"\r\n.", b"\r\n..") if b"\r\n." in message else message
    if stuffed.startswith(b"."):
        stuffed = b"." + stuffed
    return stuffed + (b".\r\n" if stuffed.endswith(b"\r\n") else b"\r\n.\r\n")
