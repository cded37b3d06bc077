"""Looks for the DMARC policy that counts for a domain: its own, or that of a domain above it (RFC 9989)."""

from postroom.mail_domains.findings import Finding, error, warning
from postroom.mail_domains.models import MailDomain
from postroom.mail_domains.names import Names
from postroom.mail_domains.tags import read_tags

WALK = 8  # queries of a tree walk (RFC 9989 section 4.10)
POLICIES = frozenset({"none", "quarantine", "reject"})


async def look_at_dmarc(names: Names, domain: MailDomain) -> list[Finding]:
    """Say what is wrong with the policy, and with how our mail is aligned to it. Raises Silent.

    What we sign names exactly the From domain, so that DKIM is aligned however strict the policy is.
    """
    place = f"_dmarc.{domain.domain}"
    found = await _records(names, domain.domain)
    if not found:
        return [error("dmarc_missing", place, "There is no DMARC record, here or above.")]
    if len(found) > 1:
        return [error("dmarc_multiple", place, "There are several DMARC records; receivers then read none.")]
    tags = read_tags(found[0])
    if tags is None or tags.get("p", "none").lower() not in POLICIES or not {"p", "rua"} & tags.keys():
        return [error("dmarc_invalid", place, "The DMARC record has no p= of none, quarantine or reject.")]
    if tags.get("aspf", "r").lower() == "s" and domain.bounce_domain not in {None, domain.domain}:
        detail = (
            "The policy wants SPF of exactly this domain, but bounces go to another; only DKIM speaks for the mail."
        )
        return [warning("spf_not_aligned", place, detail)]
    return []


async def _records(names: Names, domain: str) -> list[str]:
    labels = domain.split(".")
    places = [".".join(labels[at:]) for at in range(len(labels))]
    above = places[1:] if len(places) <= WALK else places[1 - WALK :]
    for place in [domain, *above]:
        texts = await names.texts(f"_dmarc.{place}")
        if found := [text for text in texts if text.partition(";")[0].replace(" ", "") == "v=DMARC1"]:
            return found
    return []
