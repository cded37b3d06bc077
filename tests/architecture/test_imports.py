"""Imports run the way the data runs, and what reaches the outside world has few doors."""

import importlib.metadata
import sys
from collections.abc import Iterator

from importlinter.application.use_cases import lint_imports
from importlinter.configuration import configure

from tests.architecture.source import CHECKOUT, ROOTS, Module, house

# A library that reaches something outside has its homes; a second home is a decision to be made here.
HOMES = {
    "aiosmtplib": ("postroom.channels.email.connection",),
    "cronsim": ("postroom.schedules.recurrence",),
    "cryptography": (
        "postroom.tenants.secrets",
        "postroom.person_pages.links",
        "postroom.channels.email.signing",
        "postroom.mail_domains.pairs",
        "postroom.tracking.tokens",
        "postroom.feedback.vendors.",
    ),
    "dns": ("postroom.mail_domains.names",),
    "email_validator": ("postroom.channels.email.addresses",),
    "fastapi": ("api.",),
    "httpcore2": ("postroom.egress.bounds",),
    "httpx2": ("postroom.channels.email.journal", "postroom.egress.client", "postroom.egress.bounds"),
    "css_inline": ("postroom.rendering.markup",),
    "jinja2": ("api.reference", "postroom.mailbox.pages", "postroom.person_pages.html", "postroom.rendering."),
    "mrml": ("postroom.rendering.markup",),
    "psutil": ("postroom.local.",),
    "psycopg_pool": ("postroom.database.engine",),
    "sqlalchemy": ("postroom.", "api.problems"),
    "standardwebhooks": ("postroom.webhooks.signing", "postroom.feedback.vendors.signed"),
    "sqlite3": ("postroom.mailbox.",),
    "starlette": ("api.", "postroom.mailbox."),
    "subprocess": ("postroom.local.",),
    "temporalio": ("workflows.", "activities.", "worker"),
    "uuid_utils": ("postroom.identity",),
    "uvicorn": ("postroom.mailbox.serving",),
}


def strays(module: Module) -> list[str]:
    """Libraries imported outside their homes."""
    return [
        f"{module.name} imports {library}"
        for library in sorted({name.partition(".")[0] for name in module.imports()} & HOMES.keys())
        if not any(module.name == home or module.name.startswith(home) for home in HOMES[library])
    ]


def roots_of(module: Module) -> set[str]:
    return {name.partition(".")[0] for name in module.imports()} & {*ROOTS, "worker", "tests"}


def test_the_import_contracts_hold() -> None:
    configure()  # its command line would also silence every logger there is, for all tests that follow
    assert lint_imports(config_filename=str(CHECKOUT / "pyproject.toml"), cache_dir=None)


def test_only_the_worker_knows_everybody() -> None:
    whole = {module.name for module in house() if roots_of(module) >= {"workflows", "activities", "postroom"}}
    assert whole - {"worker", "workflows.workers"} <= set(sandboxed())
    assert all("worker" not in roots_of(module) and "tests" not in roots_of(module) for module in house())


def sandboxed() -> Iterator[str]:
    """Modules that define workflows: they name activities by reference, and pass nothing but contracts."""
    return (module.name for module in house() if "@workflow.defn" in module.text)


def test_the_api_never_touches_the_engine() -> None:
    api = [module for module in house() if module.name.partition(".")[0] == "api"]
    assert api
    assert [module.name for module in api if roots_of(module) - {"api", "postroom"}] == []


def test_contracts_need_the_standard_library_only() -> None:
    contracts = [module for module in house() if module.name.startswith("postroom.contracts")]
    assert contracts
    foreign = {
        name
        for module in contracts
        for name in module.imports()
        if name.partition(".")[0] not in sys.stdlib_module_names and not name.startswith("postroom.contracts")
    }
    assert foreign == set()


def test_libraries_stay_at_home() -> None:
    assert [line for module in house() for line in strays(module)] == []


def test_a_stray_library_is_noticed() -> None:
    sample = "from aiosmtplib import SMTP\nimport httpx2\n"
    assert strays(Module.of("postroom/notifications/control.py", sample)) == [
        "postroom.notifications.control imports aiosmtplib",
        "postroom.notifications.control imports httpx2",
    ]
    assert strays(Module.of("postroom/channels/email/connection.py", "import aiosmtplib\n")) == []


def test_nothing_installed_bears_the_names_of_our_roots() -> None:
    # A second distribution that ships `workflows` would win over ours without a word (decision 0001).
    assert set(importlib.metadata.packages_distributions()) & {"api", "workflows", "activities", "worker"} == set()
