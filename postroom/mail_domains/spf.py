"""Reads SPF policies as a receiver does (RFC 7208): one record, ten look-ups, and whoever sends for us included."""

import re
from dataclasses import dataclass, field

from postroom.mail_domains.findings import Finding, error, warning
from postroom.mail_domains.names import Names

LOOKUPS = 10  # RFC 7208 section 4.6.4; past it receivers give up with an error
ASKING = frozenset({"a", "mx", "ptr", "exists"})  # mechanisms that cost a look-up, besides include and redirect
KNOWN = ASKING | {"all", "include", "ip4", "ip6"}

_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_TERM = re.compile(r"(?P<sign>[+?~-]?)(?P<name>[A-Za-z][A-Za-z0-9._-]*)(?P<rest>[:/=].*)?")


@dataclass(slots=True)
class Walk:
    """What was met on the way through a policy and those it includes."""

    domain: str
    lookups: int = 0
    included: set[str] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)
    ends: bool = False


async def look_at_spf(names: Names, domain: str, needed: str | None) -> list[Finding]:
    """Say what is wrong with a domain's policy; `needed` is whose policy it must include. Raises Silent."""
    policy, findings = await _policy(names, domain)
    if policy is None:
        return findings
    walk = Walk(domain)
    await _follow(names, domain, policy, walk)
    if walk.lookups > LOOKUPS:
        detail = f"The policy takes more than {LOOKUPS} DNS look-ups, and receivers stop there."
        walk.findings.append(error("spf_too_many_lookups", domain, detail))
    elif needed and needed != domain and needed not in walk.included:
        walk.findings.append(error("spf_include_missing", domain, f"The policy does not include {needed}."))
    if not walk.ends and not walk.findings:
        detail = "The policy says nothing of everybody else; end it with ~all or -all."
        walk.findings.append(warning("spf_without_end", domain, detail))
    return walk.findings


async def _policy(names: Names, domain: str) -> tuple[str | None, list[Finding]]:
    """Return the one policy of a domain (RFC 7208 section 4.5), or what is wrong."""
    texts = await names.texts(domain)
    found = [text for text in texts if text.lower() == "v=spf1" or text.lower().startswith("v=spf1 ")]
    if not found:
        return None, [error("spf_missing", domain, "There is no SPF record.")]
    if len(found) > 1:
        return None, [error("spf_multiple", domain, "There are several SPF records; receivers then read none.")]
    return found[0], []


async def _follow(names: Names, domain: str, policy: str, walk: Walk) -> None:
    """Read the terms of a policy in order, and the policies it takes in; what comes behind `all` is never reached."""
    redirect = None
    for term in policy.split()[1:]:
        match = _TERM.fullmatch(term)
        name = match["name"].lower() if match else ""
        rest = (match["rest"] or "") if match else ""
        if match and rest.startswith("="):
            redirect = rest[1:].lower() if name == "redirect" else redirect
        elif match is None or name not in KNOWN:
            walk.findings.append(error("spf_invalid", domain, "The SPF record holds a term that is none."))
            return
        elif name == "all":
            _end(domain, match["sign"], walk)
            return
        elif name == "include":
            await _take_in(names, rest[1:].lower().removesuffix("."), walk)
        elif name in ASKING:
            walk.lookups += 1
    if redirect:
        await _take_in(names, redirect.removesuffix("."), walk, redirected=True)


def _end(domain: str, sign: str, walk: Walk) -> None:
    walk.ends = True
    if sign in {"", "+"}:
        detail = "The policy ends with +all: everybody may send for this domain."
        walk.findings.append(error("spf_allows_everyone", domain, detail))


async def _take_in(names: Names, target: str, walk: Walk, *, redirected: bool = False) -> None:
    """Follow to another policy; what an included one says of everybody else counts only where it lets them send."""
    walk.lookups += 1
    if walk.lookups > LOOKUPS or "%" in target:  # a macro is put in by the receiver
        return
    if not _HOST.fullmatch(target):  # DNS cannot be asked about it, nor may it be kept: it can hold anything
        walk.findings.append(error("spf_invalid", walk.domain, "The SPF record refers to what is no name of a host."))
        return
    walk.included.add(target)
    policy, wrong = await _policy(names, target)
    if policy is None:
        detail = f"The policy refers to {target}, which has no SPF record of its own, or several."
        walk.findings.extend(error("spf_include_broken", one.name, detail) for one in wrong)
        return
    inner = Walk(target, walk.lookups, walk.included)
    await _follow(names, target, policy, inner)
    walk.lookups = inner.lookups
    walk.findings.extend(inner.findings)
    walk.ends = walk.ends or (redirected and inner.ends)
