"""Makes key pairs, and spells both halves: the private one to be sealed, the public one for DNS."""

from base64 import b64decode, b64encode
from dataclasses import dataclass
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from postroom.mail_domains.models import Algorithm

RSA_BITS = 2048  # RFC 8301 section 3.2; longer keys do not fit into what some DNS servers answer
RSA_EXPONENT = 65537
RANDOM_DIGITS = 12  # of a uuidv7 the end is chance: nobody else's selector is the same

Private = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True, slots=True)
class Pair:
    """A new key pair: `secret` is base64 of PKCS #8, `public` what stands behind `p=`."""

    secret: str
    public: str


def new_pair(algorithm: Algorithm) -> Pair:
    """Make a key pair; an RSA one takes a tenth of a second or more."""
    private: Private
    if algorithm is Algorithm.RSA:
        private = rsa.generate_private_key(RSA_EXPONENT, RSA_BITS)
        public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    else:
        private = ed25519.Ed25519PrivateKey.generate()
        public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)  # RFC 8463 section 4.2
    secret = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return Pair(b64encode(secret).decode(), b64encode(public).decode())


def read_private(secret: str) -> Private:
    """Read the private half of a pair that we made ourselves, so that its numbers need no proof.

    Raises:
        ValueError: it is no such key.
    """
    key = load_der_private_key(b64decode(secret), None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey):
        raise ValueError("This key does not sign mail.")  # noqa: TRY004 - a value from the store
    return key


def selector_of(key_id: UUID, algorithm: Algorithm) -> str:
    """Name a key in DNS. Whoever publishes it owns the domain: no other tenant's key has this name."""
    return f"{'pr' if algorithm is Algorithm.RSA else 'pe'}{key_id.hex[-RANDOM_DIGITS:]}"
