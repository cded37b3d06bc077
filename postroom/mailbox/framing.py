"""Cuts the bytes of an SMTP client into command lines and message bodies, and holds no more than one of either."""

LINE_LIMIT = 2_048  # RFC 5321 section 4.5.3.1.4 asks for 512 and more with extensions
END_OF_DATA = b"\r\n.\r\n"


class BadLine(Exception):
    """A command line that is too long or does not end with CR LF."""


class BodyTooLarge(Exception):
    """A whole body went by and was over the limit; none of it was held."""


class Framing:
    """One direction of one connection, without any I/O of its own."""

    def __init__(self, body_limit: int) -> None:
        self._body_limit = body_limit
        self._buffer = bytearray()
        self._scanned = 0
        self._overflowed = False

    def __len__(self) -> int:
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        """Take what the client wrote."""
        self._buffer += data

    def line(self) -> bytes | None:
        """Return the next command line without its ending, None when there is no whole one yet.

        Raises:
            BadLine: the line is over the limit, or ends with a bare LF: accepting that would let a body smuggle
                commands past a relay that reads line ends differently (CVE-2023-51764).
        """
        end = self._buffer.find(b"\n")
        if end < 0:
            if len(self._buffer) > LINE_LIMIT:
                self._overflowed = True
                self._buffer.clear()
            return None
        line = bytes(self._buffer[: end + 1])
        del self._buffer[: end + 1]
        overflowed, self._overflowed = self._overflowed, False
        if overflowed or len(line) > LINE_LIMIT:
            raise BadLine("Line too long")
        if not line.endswith(b"\r\n"):
            raise BadLine("Lines end with CR LF")
        return line[:-2]

    def begin_body(self) -> None:
        """Read a body from here on: its first line counts as following a line end, so that a lone dot ends it."""
        self._buffer[:0] = b"\r\n"
        self._scanned = 0
        self._overflowed = False

    def body(self) -> bytes | None:
        """Return the body with its dots unstuffed (RFC 5321 section 4.5.2), None until CR LF dot CR LF was seen.

        Raises:
            BodyTooLarge: the body ended, but was longer than the limit.
        """
        end = self._buffer.find(END_OF_DATA, self._scanned)
        if end < 0:
            self._overflowed = self._overflowed or len(self._buffer) > self._body_limit + len(END_OF_DATA)
            if self._overflowed:
                del self._buffer[: -len(END_OF_DATA) + 1]
            self._scanned = max(0, len(self._buffer) - len(END_OF_DATA) + 1)
            return None
        stuffed = bytes(self._buffer[: end + 2])
        del self._buffer[: end + len(END_OF_DATA)]
        overflowed, self._overflowed = self._overflowed, False
        if overflowed or len(stuffed) - 2 > self._body_limit:
            raise BodyTooLarge
        return stuffed.replace(b"\r\n.", b"\r\n")[2:]
