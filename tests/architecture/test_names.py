"""Names: modules are nouns of the product, ids come from one place, migrations stand in the order of their dates."""

import ast
import re
from collections.abc import Iterator

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from tests.architecture.source import CHECKOUT, Module, house, spelled, suite

VAGUE = re.compile(r"(^|_)(utils?|helpers?|common|misc|managers?|shared|stuff|base_?classes|tools?)(_|$)")
WORKFLOW_ID = re.compile(r"^(notifications?|campaigns?|digests?|schedule|sequence|contacts)/")
MESSAGE_ID = re.compile(r"<[^<> ]*\{\}[^<> ]*@[^<> ]+>")
MIGRATION = re.compile(r"\d{4}-\d\d-\d\d-\d{4}_[a-z0-9_]+\.(py|sql)")
MAKER = "postroom.identity"


def vague(module: Module) -> list[str]:
    return [part for part in module.name.split(".") if VAGUE.search(part)]


def made_ids(module: Module) -> Iterator[str]:
    """Workflow ids and Message-IDs that are put together here; what the API shows as an example is none."""
    shown = {id(part) for node in ast.walk(module.tree) if is_example(node) for part in ast.walk(node)}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.JoinedStr) and id(node) not in shown:
            pattern = "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
            if WORKFLOW_ID.search(pattern):
                yield module.at(node, f"makes a workflow id: {pattern}")
            if MESSAGE_ID.fullmatch(pattern):
                yield module.at(node, f"makes a Message-ID: {pattern}")
        if isinstance(node, ast.Call) and spelled(node.func).endswith("make_msgid"):
            yield module.at(node, "makes a Message-ID of its own")


def is_example(node: ast.AST) -> bool:
    return isinstance(node, ast.keyword) and node.arg == "examples"


def test_no_module_has_a_vague_name() -> None:
    assert [module.path for module in (*house(), *suite()) if vague(module)] == []


@pytest.mark.parametrize("path", ["postroom/utils.py", "postroom/mail_helpers.py", "api/common/routes.py"])
def test_a_vague_name_is_noticed(path: str) -> None:
    assert vague(Module.of(path, ""))


def test_every_module_says_what_it_is_for() -> None:
    silent = [module.path for module in house() if not (ast.get_docstring(module.tree) or "").strip().endswith(".")]
    assert silent == []


def test_workflow_ids_and_message_ids_are_made_in_one_place() -> None:
    assert [line for module in house() if module.name != MAKER for line in made_ids(module)] == []
    [maker] = [module for module in house() if module.name == MAKER]
    assert len(list(made_ids(maker))) == 9


@pytest.mark.parametrize(
    "made", ['f"notification/{slug}/{one}"', 'f"<{one.hex}@{domain}>"', "email.utils.make_msgid()"]
)
def test_an_id_made_elsewhere_is_noticed(made: str) -> None:
    assert list(made_ids(Module.of("sample.py", f"name = {made}\n")))


def test_migrations_are_named_by_date_and_follow_it() -> None:
    names = sorted(path.name for path in (CHECKOUT / "migrations/versions").iterdir() if path.suffix in {".py", ".sql"})
    assert names
    assert [name for name in names if not MIGRATION.fullmatch(name)] == []
    chain = ScriptDirectory.from_config(Config(CHECKOUT / "alembic.ini")).walk_revisions()
    oldest_first = [str(revision.path).rpartition("/")[2] for revision in chain][::-1]
    assert oldest_first == [name for name in names if name.endswith(".py")]
