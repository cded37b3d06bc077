"""Every link leads somewhere, and every decision names what holds it."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import CHECKOUT, Page, page, pages

OUTSIDE = ("http://", "https://", "mailto:")
NAMED = re.compile(r"`((?:tests|postroom|workflows|activities|api|deploy|docs|migrations)/[\w./-]*)`")
DECISIONS = sorted((CHECKOUT / "docs/decisions").glob("*.md"))
PARTS = ("**Context.**", "**Decision.**", "**Consequences.**", "**Held by**")


def broken(document: Page) -> list[str]:
    """Links of a document that lead nowhere."""
    found = []
    for link in document.links():
        if link.startswith(OUTSIDE):
            continue
        target, _, anchor = link.partition("#")
        place = (document.path.parent / target).resolve() if target else document.path
        if not place.exists() or (anchor and anchor not in Page(place).anchors()):
            found.append(link)
    return found


@pytest.mark.parametrize("document", pages(), ids=lambda one: one.path.name)
def test_links_lead_somewhere(document: Page) -> None:
    assert broken(document) == []


def test_a_link_to_nowhere_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("# Keys\n[here](page.md#keys) [gone](gone.md) [nothing](page.md#locks)\n")
    assert broken(Page(tmp_path / "page.md")) == ["gone.md", "page.md#locks"]


@pytest.mark.parametrize("document", pages(), ids=lambda one: one.path.name)
def test_files_named_in_passing_exist(document: Page) -> None:
    assert [name for name in NAMED.findall(document.text) if not (CHECKOUT / name).exists()] == []


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_is_whole_and_names_what_holds_it(path: Path) -> None:
    text = path.read_text()
    assert [part for part in PARTS if part not in text] == []
    assert text.startswith(f"# {path.name[:4]} ")
    assert "tests/" in text.partition("**Held by**")[2]
    assert len(text.splitlines()) <= 40


def test_decisions_are_numbered_without_gaps_and_listed() -> None:
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))
    assert {path.name for path in DECISIONS} <= {link.rpartition("/")[2] for link in page("CONTRIBUTING.md").links()}
