"""One message over one connection: envelope, mark, DATA, body, answer, knowing at every step what a failure means."""

import asyncio
from dataclasses import dataclass

from postroom.channels.base import Answer, Mark, Phase, Verdict
from postroom.channels.email.answers import Step, clean_detail, lost, refused
from postroom.channels.email.connection import Connection
from postroom.channels.email.wire import Reply, WireError
from postroom.timing import Timing

START_INPUT = 354


@dataclass(frozen=True, slots=True)
class Letter:
    """Exactly what goes over the wire: two checked addresses and the bytes."""

    sender: str
    recipient: str
    message: bytes

    @property
    def international(self) -> bool:
        """Whether a local part is beyond ASCII, so that the server must know SMTPUTF8 (RFC 6531)."""
        return not (self.sender.isascii() and self.recipient.isascii())


async def converse(connection: Connection, letter: Letter, mark: Mark, timing: Timing) -> Answer:
    """Hand a letter to the server of `connection`.

    `mark` is asked once, after the envelope was accepted; nothing of the message is on the wire before it said yes.
    Cancelled before the body, this ends the connection and raises. Cancelled later, it waits for the answer all the
    same and returns it, so that it can be recorded; the caller finds the request in `Task.cancelling()`.
    """
    return await _Conversation(connection, letter, timing).hold(mark)


class _Conversation:
    def __init__(self, connection: Connection, letter: Letter, timing: Timing) -> None:
        self._connection = connection
        self._wire = connection.wire
        self._provider = connection.provider.name
        self._letter = letter
        self._timing = timing
        self._patience = timing.command_patience.total_seconds()
        self._phase = Phase.ENVELOPE

    async def hold(self, mark: Mark) -> Answer:
        try:
            return await self._held(mark)
        except WireError as loss:
            return lost(loss, self._phase, self._provider)

    async def _held(self, mark: Mark) -> Answer:
        self._connection.used += 1
        if answer := self._impossible() or await self._envelope():
            return answer
        self._phase = Phase.MARK
        deadline = asyncio.get_running_loop().time() + self._timing.mark_to_body.total_seconds()
        if not await mark(self._letter.message, self._provider):
            return self._answer(Verdict.WITHDRAWN, "withdrawn")
        self._phase = Phase.DATA
        return await self._data() or self._late(deadline) or await self._body()

    def _impossible(self) -> Answer | None:
        if self._letter.international and not self._offers("smtputf8"):
            return self._answer(Verdict.REJECTED, "smtputf8_unsupported")
        return None

    async def _envelope(self) -> Answer | None:
        commands = {Step.MAIL: self._mail(), Step.RCPT: f"RCPT TO:<{self._letter.recipient}>\r\n".encode()}
        if self._connection.envelope_open:
            commands = {Step.RSET: b"RSET\r\n", **commands}
        self._connection.envelope_open = True
        for step, reply in await self._say(commands):
            if not reply.positive:
                return self._refused(reply, step)
        return None

    def _mail(self) -> bytes:
        message = self._letter.message
        parameters = f" SIZE={len(message)}" if self._offers("size") else ""
        if not message.isascii() and self._offers("8bitmime"):
            parameters += " BODY=8BITMIME"
        if self._letter.international:
            parameters += " SMTPUTF8"
        return f"MAIL FROM:<{self._letter.sender}>{parameters}\r\n".encode()

    async def _say(self, commands: dict[Step, bytes]) -> list[tuple[Step, Reply]]:
        """Say the commands in one write where the server allows it (RFC 2920), else one by one up to a refusal."""
        if self._offers("pipelining"):
            futures = self._wire.ask(b"".join(commands.values()), len(commands))
            return [(step, await self._reply(future)) for step, future in zip(commands, futures, strict=True)]
        replies: list[tuple[Step, Reply]] = []
        for step, command in commands.items():
            replies.append((step, await self._reply(self._wire.ask(command)[0])))
            if not replies[-1][1].positive:
                break
        return replies

    async def _reply(self, future: asyncio.Future[Reply]) -> Reply:
        return await self._wire.answer(future, self._patience)

    async def _data(self) -> Answer | None:
        """Ask for the body. Only 354 lets it go, which also uncovers every reply that slipped by one."""
        reply = await self._reply(self._wire.ask(b"DATA\r\n")[0])
        return None if reply.code == START_INPUT else self._refused(reply, Step.DATA)

    def _late(self, deadline: float) -> Answer | None:
        """Refuse to send what may be somebody else's by now: a paused process must not write the final dot."""
        if asyncio.get_running_loop().time() <= deadline:
            return None
        self._wire.abort("The body was not sent.")
        return self._answer(Verdict.DEFERRED, "late_after_mark")

    async def _body(self) -> Answer:
        future = self._wire.ask(_dotted(self._letter.message))[0]
        self._phase = Phase.BODY if self._wire.unsent else Phase.ANSWER
        reply = await self._wire.last_answer(future, self._timing.hand_off_patience.total_seconds())
        self._connection.envelope_open = False
        if not reply.positive:
            return self._refused(reply, Step.BODY)
        detail = clean_detail(reply.text)
        return Answer(
            Verdict.ACCEPTED, Phase.ANSWER, "accepted", self._provider, reply.code, reply.enhanced, detail=detail
        )

    def _refused(self, reply: Reply, step: Step) -> Answer:
        answer = refused(reply, step, self._provider)
        if answer.verdict in {Verdict.UNAVAILABLE, Verdict.UNKNOWN}:
            self._wire.farewell()
        return answer

    def _answer(self, verdict: Verdict, reason: str) -> Answer:
        return Answer(verdict, self._phase, reason, self._provider)

    def _offers(self, feature: str) -> bool:
        return feature in self._connection.features


def _dotted(message: bytes) -> bytes:
    """Return the message with its leading dots doubled (RFC 5321 section 4.5.2), a last line end and the final dot."""
    stuffed = message.replace(b"\r\n.", b"\r\n..") if b"\r\n." in message else message
    if stuffed.startswith(b"."):
        stuffed = b"." + stuffed
    return stuffed + (b".\r\n" if stuffed.endswith(b"\r\n") else b"\r\n.\r\n")
