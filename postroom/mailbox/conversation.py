"""What an SMTP server says to what it hears (RFC 5321, enhanced codes by RFC 2034), without any I/O of its own."""

from collections.abc import Callable
from dataclasses import dataclass, field

from postroom.mailbox.envelope import Refusal, ReversePath, read_mail, read_rcpt
from postroom.mailbox.letter import Letter

ERROR_LIMIT = 20
RECIPIENT_LIMIT = 100


@dataclass(slots=True)
class Transaction:
    """From MAIL to the dot; `begun` orders it against declarations of absence."""

    path: ReversePath
    begun: int
    recipients: list[str] = field(default_factory=list)
    refused: bool = False


class Conversation:
    """The state of one client; `replies` gathers until somebody sends them."""

    def __init__(self, host_name: str, message_limit: int, moment: Callable[[], int]) -> None:
        self._host_name = host_name
        self._message_limit = message_limit
        self._moment = moment
        self._greeted = False
        self._errors = 0
        self.replies = [f"220 {host_name} ESMTP Postroom mailbox"]
        self.transaction: Transaction | None = None
        self.in_body = False
        self.over = False

    def hear(self, line: bytes) -> None:
        """Answer one command line."""
        try:
            verb, _, argument = line.decode().partition(" ")
        except UnicodeDecodeError:
            self.wrong("500 5.5.2 This is no text")
            return
        handler = _COMMANDS.get(verb.upper())
        if handler is None:
            self.wrong("502 5.5.1 Not offered here" if verb.upper() in _NOT_OFFERED else "500 5.5.2 This is no command")
            return
        try:
            handler(self, argument.strip(" "))
        except Refusal as refusal:
            self.wrong(str(refusal))

    def wrong(self, reply: str) -> None:
        """Refuse something; a client that is refused too often is talking nonsense or worse."""
        self._errors += 1
        self.replies.append(reply)
        if self._errors >= ERROR_LIMIT:
            self.leave("421 4.7.0 Too many errors")

    def leave(self, farewell: str) -> None:
        """End the conversation; an open transaction is void."""
        self.end_transaction()
        self.over = True
        self.replies.append(farewell)

    def letter(self, raw: bytes) -> Letter:
        """Put the body that came into its envelope."""
        self.in_body = False
        if self.transaction is None:
            raise RuntimeError("There is a body only inside a transaction")
        return Letter.of(raw, self.transaction.path.address, tuple(self.transaction.recipients))

    def conclude(self, reply: str) -> None:
        """Answer the dot."""
        self.end_transaction()
        self.replies.append(reply)

    def end_transaction(self) -> None:
        """Back to where MAIL is expected."""
        self.transaction = None
        self.in_body = False

    def _helo(self, argument: str) -> None:
        self._greet(argument)
        self.replies.append(f"250 {self._host_name}")

    def _ehlo(self, argument: str) -> None:
        self._greet(argument)
        offers = ["PIPELINING", f"SIZE {self._message_limit}", "8BITMIME", "SMTPUTF8"]
        self.replies += [f"250-{offer}" for offer in (self._host_name, *offers)]
        self.replies.append("250 ENHANCEDSTATUSCODES")

    def _greet(self, argument: str) -> None:
        if not argument:
            raise Refusal("501 5.5.4 Say who you are")
        self._greeted = True
        self.end_transaction()

    def _mail(self, argument: str) -> None:
        if not self._greeted:
            raise Refusal("503 5.5.1 Say EHLO first")
        if self.transaction is not None:
            raise Refusal("503 5.5.1 A transaction is open")
        path = read_mail(argument)
        if path.size > self._message_limit:
            raise Refusal("552 5.3.4 This message is too large")
        self.transaction = Transaction(path, self._moment())
        self.replies.append("250 2.1.0 Sender taken")

    def _rcpt(self, argument: str) -> None:
        transaction = self.transaction
        if transaction is None:
            raise Refusal("503 5.5.1 Say MAIL first")
        if len(transaction.recipients) >= RECIPIENT_LIMIT:
            raise Refusal("452 4.5.3 Too many recipients")
        try:
            transaction.recipients.append(read_rcpt(argument, utf8=transaction.path.utf8))
        except Refusal:
            transaction.refused = True
            raise
        self.replies.append("250 2.1.5 Recipient taken")

    def _data(self, argument: str) -> None:
        transaction = self.transaction
        if transaction is None or not (transaction.recipients or transaction.refused):
            raise Refusal("503 5.5.1 Say MAIL and RCPT first")
        if argument:
            raise Refusal("501 5.5.4 DATA stands alone")
        if not transaction.recipients:
            # RFC 2920 section 3.1: DATA was pipelined behind recipients that were all refused.
            raise Refusal("554 5.5.1 No recipient was taken")
        self.in_body = True
        self.replies.append("354 Go on; end with a dot on a line of its own")

    def _rset(self, argument: str) -> None:
        if argument:
            raise Refusal("501 5.5.4 RSET stands alone")
        self.conclude("250 2.0.0 Forgotten")

    def _noop(self, _argument: str) -> None:
        self.replies.append("250 2.0.0 Here")

    def _vrfy(self, _argument: str) -> None:
        self.replies.append("252 2.5.0 Every address is taken here")

    def _help(self, _argument: str) -> None:
        self.replies.append("214 2.0.0 EHLO HELO MAIL RCPT DATA RSET NOOP VRFY HELP QUIT")

    def _quit(self, _argument: str) -> None:
        self.leave("221 2.0.0 Goodbye")


# The table names this class's own commands, hence the private access.
_COMMANDS: dict[str, Callable[[Conversation, str], None]] = {
    "EHLO": Conversation._ehlo,  # noqa: SLF001
    "HELO": Conversation._helo,  # noqa: SLF001
    "MAIL": Conversation._mail,  # noqa: SLF001
    "RCPT": Conversation._rcpt,  # noqa: SLF001
    "DATA": Conversation._data,  # noqa: SLF001
    "RSET": Conversation._rset,  # noqa: SLF001
    "NOOP": Conversation._noop,  # noqa: SLF001
    "VRFY": Conversation._vrfy,  # noqa: SLF001
    "HELP": Conversation._help,  # noqa: SLF001
    "QUIT": Conversation._quit,  # noqa: SLF001
}
_NOT_OFFERED = frozenset({"AUTH", "STARTTLS", "EXPN", "BDAT", "TURN", "ETRN"})
