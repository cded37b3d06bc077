"""Who may look past one tenant: a short list, each with its reason."""

import ast

from tests.architecture.source import Module, house, spelled

EVERYTHING = {
    "postroom.relay.relay": "gives the rows of all tenants their carriers, in one order of priority",
    "postroom.campaigns.sending.poking": "starts and wakes the workflows of the tasks of all tenants",
    "postroom.digests.poker": "gives the digests of all tenants their workflows, and pokes these",
    "postroom.guard_rails.rounds": "finds the tasks of all tenants whose rails are to be looked at",
    "postroom.reports.standings": "finds the tasks of all tenants of which it is to be read what came back",
    "postroom.reports.rounds": "finds the tasks of all tenants whose pages are to be counted",
    "postroom.relay.listener": "hears the bell of all tenants; reads no row",
    "postroom.relay.sweeping": "repairs what crashes left, whosever it is",
    "postroom.schedules.keeping": "brings the engine into line with the schedules of all tenants",
    "postroom.contact_files.poking": "starts the workflows of everybody's files, and clears away what is left of them",
    "postroom.sequences.poking": "starts and wakes the workflows of everybody on the way through a sequence",
    "postroom.notifications.backlog": "counts what is due in the whole deployment; reads no row",
    "postroom.tenants.gate": "finds the tenant of a key before there is one to name",
    "postroom.tenants.directory": "the operator's view of tenants and keys",
    "postroom.tenants.providers": "the operator's view of a tenant's providers",
    "postroom.mail_domains.rounds": "finds whose domain is to be looked at; does the rest as the tenant",
    "postroom.tracking.recording": "writes the opens and clicks of all tenants in groups; each token names its own",
    "postroom.feedback.intake": "believes what a token of ours proves, whosever message it is",
    "postroom.feedback.sources": "finds the tenant of a provider that calls before there is one to name",
    "postroom.privacy.rounds": "exports and erases people of all tenants, one at a time",
}
# Pools are opened here, by role; nothing is asked through them.
OPENS_POOLS = {"worker", "api.app", "postroom.__main__", "postroom.local.demo", "postroom.database.engine"}
GROUPED = {
    "LEDGER": {"postroom.deliveries.ledger", "postroom.limits.reservations"},
    "ACCEPT": {"postroom.notifications.accepting"},
}


def looks_past_tenants(module: Module) -> bool:
    names = {spelled(node) for node in ast.walk(module.tree) if isinstance(node, ast.Attribute)}
    return "Role.SYSTEM" in names or any(name.endswith("system_transaction") for name in names)


def asks_as(module: Module, role: str) -> bool:
    return any(spelled(node) == f"Role.{role}" for node in ast.walk(module.tree) if isinstance(node, ast.Attribute))


def test_only_named_modules_look_past_one_tenant() -> None:
    found = {module.name for module in house() if looks_past_tenants(module)}
    assert found - OPENS_POOLS - EVERYTHING.keys() == set()


def test_the_list_names_nobody_who_does_not() -> None:
    found = {module.name for module in house() if looks_past_tenants(module)}
    assert EVERYTHING.keys() - found == set()


def test_grouped_statements_over_all_tenants_have_one_home_each() -> None:
    for role, homes in GROUPED.items():
        assert {module.name for module in house() if asks_as(module, role)} - OPENS_POOLS == homes


def test_a_new_look_past_tenants_is_noticed() -> None:
    assert looks_past_tenants(Module.of("sample.py", "rows = database.system_transaction()\n"))
    assert looks_past_tenants(Module.of("sample.py", "pool = pools[Role.SYSTEM]\n"))
    assert not looks_past_tenants(Module.of("sample.py", "rows = database.tenant_transaction(one)\n"))
