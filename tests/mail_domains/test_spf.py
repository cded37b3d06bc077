"""SPF policies are read as receivers read them."""

import pytest

from postroom.mail_domains.names import Names
from postroom.mail_domains.spf import look_at_spf
from tests.fixtures.name_server import Zone

NAME = "shop.example.com"
NEEDED = "_spf.postroom.example"


async def codes(names: Names, needed: str | None = NEEDED) -> list[str]:
    return [finding.code for finding in await look_at_spf(names, NAME, needed)]


@pytest.mark.parametrize(
    ("records", "found"),
    [
        ([f"v=spf1 include:{NEEDED} -all"], []),
        ([f"V=SPF1 MX Include:{NEEDED.upper()} ~ALL"], []),
        ([f"v=spf1 include:{NEEDED} -all", "unrelated", "v=spf10 +all"], []),
        (["v=spf1 include:below.example.com -all"], []),
        ([f"v=spf1 redirect={NEEDED}"], []),
        (
            ["v=spf1 a/24 mx:x.example.com ip4:192.0.2.1 ip6:2001:db8::/32 exp=e.example.com -all"],
            ["spf_include_missing"],
        ),
        ([], ["spf_missing"]),
        (["v=spf1"], ["spf_include_missing"]),
        ([f"v=spf1 include:{NEEDED} -all", "v=spf1 -all"], ["spf_multiple"]),
        ([f"v=spf1 include:{NEEDED}"], ["spf_without_end"]),
        ([f"v=spf1 include:{NEEDED} +all"], ["spf_allows_everyone"]),
        ([f"v=spf1 include:{NEEDED} all"], ["spf_allows_everyone"]),
        ([f"v=spf1 -all include:{NEEDED}"], ["spf_include_missing"]),
        (["v=spf1 include:nobody.example.com -all"], ["spf_include_broken", "spf_include_missing"]),
        ([f"v=spf1 inclde:{NEEDED} -all"], ["spf_invalid", "spf_include_missing"]),
        ([f"v=spf1 include:{NEEDED} {'a:x.example.com ' * 9}-all"], []),
        ([f"v=spf1 include:{NEEDED} {'a:x.example.com ' * 10}-all"], ["spf_too_many_lookups"]),
        (["v=spf1 include:loop.example.com -all"], ["spf_too_many_lookups"]),
        (["v=spf1 exists:%{i}.x.example.com include:%{d}.x.example.com -all"], ["spf_include_missing"]),
    ],
)
async def test_what_a_policy_amounts_to(zone: Zone, names: Names, records: list[str], found: list[str]) -> None:
    zone.texts(NAME, *records)
    zone.texts("below.example.com", f"v=spf1 include:{NEEDED} ?all")
    zone.texts("loop.example.com", "v=spf1 include:loop.example.com -all")
    assert await codes(names) == found


async def test_nothing_needs_to_be_included_where_nobody_says_so(zone: Zone, names: Names) -> None:
    zone.texts(NAME, "v=spf1 mx -all")
    assert await codes(names, None) == []
    zone.texts(NEEDED, "v=spf1 -all")
    assert [finding.code for finding in await look_at_spf(names, NEEDED, NEEDED)] == []


async def test_a_loop_of_policies_ends(zone: Zone, names: Names) -> None:
    zone.texts(NAME, "v=spf1 include:a.example.com include:b.example.com -all")
    zone.texts("a.example.com", "v=spf1 include:b.example.com -all")
    zone.texts("b.example.com", "v=spf1 include:a.example.com -all")
    assert await codes(names) == ["spf_too_many_lookups"]
    assert len(zone.asked) < 20
