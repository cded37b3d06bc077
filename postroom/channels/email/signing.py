"""Signs the bytes of a mail for its From domain (DKIM, RFC 6376): relaxed header, simple body, every field covered."""

import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

# Each is named once more than it stands there, so that nobody can add a second one (RFC 6376 section 5.4.2). RFC 8058
# section 4 wants both fields of the one-click unsubscription covered, Gmail the Feedback-ID.
COVERED = (
    b"from:to:cc:reply-to:subject:date:message-id:mime-version:content-type:content-transfer-encoding:"
    b"list-id:list-unsubscribe:list-unsubscribe-post:feedback-id:auto-submitted"
)
_NAMES = frozenset(COVERED.split(b":"))
_RUNS = re.compile(rb"[ \t]+")
_FOLD = 72


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key, and where its public half stands: `selector._domainkey.domain`."""

    domain: str
    selector: str
    private: RSAPrivateKey | Ed25519PrivateKey

    @property
    def algorithm(self) -> str:
        """How a signature names it."""
        return "rsa-sha256" if isinstance(self.private, RSAPrivateKey) else "ed25519-sha256"

    def sign(self, data: bytes) -> bytes:
        """Sign canonical bytes; the same bytes give the same signature (PKCS #1 v1.5, and RFC 8463 section 3)."""
        if isinstance(self.private, RSAPrivateKey):
            return self.private.sign(data, PKCS1v15(), SHA256())
        return self.private.sign(sha256(data).digest())


def sign(message: bytes, keys: Sequence[SigningKey], moment: datetime) -> bytes:
    """Return the message with one DKIM-Signature per key before it, the first key's first.

    The message has CRLF line ends and a header of single lines that a blank line ends, as `mime.build` makes it.
    """
    head, _, _ = message.partition(b"\r\n\r\n")
    names, canonical = _relaxed(head)
    body = b64encode(_body_hash(message, len(head) + 4))
    opening = b"t=%d; bh=%s;\r\n h=%s;\r\n b=" % (moment.timestamp(), body, _named(names))
    signatures = [_signature(key, opening, canonical) for key in keys]
    return b"".join([*signatures, message])


def _signature(key: SigningKey, opening: bytes, canonical: bytes) -> bytes:
    where = f"v=1; a={key.algorithm}; c=relaxed/simple; d={key.domain};\r\n s={key.selector}; ".encode()
    field = where + opening
    signed = b64encode(key.sign(canonical + b"dkim-signature:" + field.replace(b"\r\n", b"")))
    lines = [signed[at : at + _FOLD] for at in range(0, len(signed), _FOLD)]
    return b"DKIM-Signature: " + field + b"\r\n ".join(lines) + b"\r\n"


def _relaxed(head: bytes) -> tuple[tuple[bytes, ...], bytes]:
    """Return the names of the covered fields, the last one first as a verifier meets them, and their relaxed form."""
    names, lines = [], []
    for field in reversed(head.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ").split(b"\r\n")):
        name, _, value = field.partition(b":")
        name = name.rstrip(b" \t").lower()
        if name in _NAMES:
            names.append(name)
            lines.append(name + b":" + _RUNS.sub(b" ", value).strip(b" ") + b"\r\n")
    return tuple(names), b"".join(lines)


@lru_cache(maxsize=256)
def _named(names: tuple[bytes, ...]) -> bytes:
    """Spell `h=`, folded; messages of one kind have the same fields."""
    lines = [b""]
    for name in [*names, *COVERED.split(b":")]:
        if len(lines[-1]) + len(name) >= _FOLD:
            lines.append(b"")
        lines[-1] += name + b":"
    return b"\r\n ".join(lines).rstrip(b":")


def _body_hash(message: bytes, start: int) -> bytes:
    """Hash the body without the empty lines at its end, and an empty one as one line (RFC 6376 section 3.4.3)."""
    end = len(message)
    while end - 2 >= start and message.endswith(b"\r\n", start, end):
        end -= 2
    hashed = sha256(memoryview(message)[start:end])
    hashed.update(b"\r\n")
    return hashed.digest()
