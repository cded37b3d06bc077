"""What a tenant has to publish in DNS so that its mail is believed."""

from collections.abc import Sequence
from dataclasses import dataclass

from postroom.mail_domains.models import Algorithm, DomainKey, KeyState, MailDomain

STRING_OCTETS = 255  # of one string of a TXT record (RFC 1035 section 3.3.14)
DMARC = "v=DMARC1; p=none"  # RFC 9989; the least that the large mailbox providers accept


@dataclass(frozen=True, slots=True)
class House:
    """What a deployment asks of DNS: who may send for it, and which host takes its bounces."""

    spf_include: str | None = None
    bounce_host: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One record; `strings` is how a TXT value is cut where a zone file wants it cut."""

    purpose: str
    type: str
    name: str
    value: str
    required: bool = True

    @property
    def strings(self) -> list[str]:
        """The value in strings of at most 255 octets."""
        return [self.value[at : at + STRING_OCTETS] for at in range(0, len(self.value), STRING_OCTETS)]


def records_of(domain: MailDomain, keys: Sequence[DomainKey], house: House) -> list[Record]:
    """List the records of a domain; of those who have SPF or DMARC already, `value` is what theirs must amount to."""
    listed = [
        Record("dkim", "TXT", key_name(key.selector, domain.domain), key_text(key), key.algorithm == Algorithm.RSA)
        for key in keys
        if key.state != KeyState.RETIRED
    ]
    include = domain.spf_include or house.spf_include
    senders = f"include:{include}" if include else "mx"
    listed.append(Record("spf", "TXT", return_domain(domain), f"v=spf1 {senders} ~all"))
    listed.append(Record("dmarc", "TXT", f"_dmarc.{domain.domain}", DMARC))
    if domain.bounce_domain and house.bounce_host:
        listed.append(Record("bounces", "MX", domain.bounce_domain, f"10 {house.bounce_host}"))
    return listed


def return_domain(domain: MailDomain) -> str:
    """Where bounces go back to, and whose SPF record counts (RFC 7208 section 2.4)."""
    return domain.bounce_domain or domain.domain


def key_name(selector: str, domain: str) -> str:
    """Where a key stands in DNS (RFC 6376 section 3.6.2.1)."""
    return f"{selector}._domainkey.{domain}"


def key_text(key: DomainKey) -> str:
    """Spell a key's record."""
    return f"v=DKIM1; k={kind_of(key.algorithm)}; p={key.public_key}"


def kind_of(algorithm: str) -> str:
    """How a key's record names its algorithm."""
    return algorithm.removesuffix("-sha256")
