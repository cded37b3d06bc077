"""Looks at everything DNS says of a domain and draws the conclusion."""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from postroom.mail_domains.dmarc import look_at_dmarc
from postroom.mail_domains.findings import Finding, Weight, error, silence, warning
from postroom.mail_domains.key_records import KeyLook, look_at_key
from postroom.mail_domains.models import Algorithm, DomainKey, DomainState, KeyState, MailDomain
from postroom.mail_domains.names import Names, Silent
from postroom.mail_domains.records import House, return_domain
from postroom.mail_domains.spf import look_at_spf


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found, and the keys that may sign from now on because their record is there."""

    findings: Sequence[Finding]
    published: Sequence[DomainKey]

    def state(self, before: DomainState) -> DomainState:
        """Draw the conclusion; where nobody answered, and nothing else is wrong, it stays what it was."""
        weights = {finding.weight for finding in self.findings}
        if Weight.ERROR in weights:
            return DomainState.FAILING
        return before if Weight.UNKNOWN in weights else DomainState.READY


class Examiner:
    """Looks at domains; holds nothing of the database while DNS takes its time."""

    def __init__(self, names: Names, house: House, patience: timedelta) -> None:
        """Take how long one look may take; what has not answered by then is silent."""
        self._names = names
        self._house = house
        self._patience = patience.total_seconds()

    async def examine(self, domain: MailDomain, keys: Sequence[DomainKey]) -> Examination:
        """Look at the key records, SPF, DMARC and where bounces go, all at once."""
        names, place = self._names, return_domain(domain)
        living = [key for key in keys if key.state != KeyState.RETIRED]
        needed = domain.spf_include or self._house.spf_include
        *others, looks = await asyncio.gather(
            self._heard(look_at_spf(names, place, needed), place, "SPF"),
            self._heard(look_at_dmarc(names, domain), domain.domain, "DMARC"),
            self._heard(self._exchangers(domain), domain.domain, "MX"),
            asyncio.gather(*(self._look(domain, key, living) for key in living)),
        )
        published = [look.key for look in looks if look.published]
        replaced = {key.algorithm for key in published if key.state == KeyState.PENDING}
        told = [look for look in looks if look.published or look.key.algorithm not in replaced]
        return Examination([one for part in [*(look.findings for look in told), *others] for one in part], published)

    async def _look(self, domain: MailDomain, key: DomainKey, living: Sequence[DomainKey]) -> KeyLook:
        """Look at one key; mail depends on the RSA key that signs, or shall be the first to."""
        signing = {one.algorithm for one in living if one.state == KeyState.ACTIVE}
        waits = key.state == KeyState.PENDING and key.algorithm in signing
        optional = waits or key.algorithm == Algorithm.ED25519
        try:
            async with asyncio.timeout(self._patience):
                return await look_at_key(self._names, domain.domain, key, Weight.WARNING if optional else Weight.ERROR)
        except (Silent, TimeoutError):
            return KeyLook(key, [silence(domain.domain, f"the key {key.selector}")])

    async def _exchangers(self, domain: MailDomain) -> list[Finding]:
        """Look whether answers and bounces can come back (RFC 5321 section 5.1)."""
        names, house = self._names, self._house.bounce_host
        findings = []
        if not await self._takes_mail(domain.domain):
            detail = "The domain takes no mail; some receivers refuse what nobody can answer."
            findings.append(warning("domain_takes_no_mail", domain.domain, detail))
        if domain.bounce_domain and not await self._takes_mail(domain.bounce_domain):
            detail = "No host takes the mail of the bounce domain, so that bounces are lost."
            findings.append(error("bounce_mx_missing", domain.bounce_domain, detail))
        elif domain.bounce_domain and house and house not in await names.exchangers(domain.bounce_domain):
            detail = f"Bounces do not come to {house}; name it in the MX record."
            findings.append(error("bounce_mx_elsewhere", domain.bounce_domain, detail))
        return findings

    async def _takes_mail(self, name: str) -> bool:
        hosts = await self._names.exchangers(name)
        return any(hosts) if hosts else await self._names.has_host(name)

    async def _heard(self, look: Awaitable[list[Finding]], name: str, what: str) -> list[Finding]:
        try:
            async with asyncio.timeout(self._patience):
                return await look
        except (Silent, TimeoutError):
            return [silence(name, what)]
