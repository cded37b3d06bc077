"""Recipient rules: JSON from an allow-list of conditions, compiled to one parameterised condition over contacts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from postroom.audiences import traits
from postroom.audiences.activity import activity, task
from postroom.audiences.attributes import attribute
from postroom.audiences.draft import ERRORS, Draft, at
from postroom.errors import Invalid

ROOT = "/rule"
DEPTH = 8


@dataclass(frozen=True, slots=True)
class Selection:
    """The people a rule finds: a condition on `contacts k`, and the parameters it names.

    `sql` includes the tenant, and is made to be continued with AND. No text of the rule is in it. All its parameters
    begin with `rule_`; a caller names its own otherwise:

        SELECT k.user_id FROM contacts k
        WHERE {selection.sql} AND k.user_id > %(after)s ORDER BY k.user_id LIMIT %(count)s

    with `{**selection.parameters, "after": after, "count": 50_000}`. It asks only tables that the tenant's own role and
    the system's can read. `tasks` are the earlier tasks it asks about, and where: see `references.check_references`.
    """

    sql: str
    parameters: Mapping[str, Any]
    tasks: Sequence[tuple[UUID, str]] = ()


def compile_rule(rule: object, tenant_id: UUID) -> Selection:
    """Compile a rule as it stands in JSON.

    Raises:
        Invalid: it is none; each mistake is told with a pointer that begins with `/rule`.
    """
    draft = Draft()
    tenant = draft.bind(tenant_id)
    sql = _condition(draft, rule, ROOT)
    if draft.errors:
        codes = {error.code for error in draft.errors}
        code = codes.pop() if len(codes) == 1 else Invalid.code
        raise Invalid(draft.errors[0].detail, code=code, errors=draft.errors[:ERRORS])
    return Selection(f"k.tenant_id = {tenant}::uuid AND ({sql})", draft.parameters, tuple(draft.tasks))


def _condition(draft: Draft, rule: object, place: str, depth: int = 1) -> str:
    """Compile one condition; what is wrong with it is noted, and compiling goes on."""
    try:
        return _compiled(draft, rule, place, depth)
    except Invalid as error:
        draft.errors.extend(error.errors)
        return "false"


def _compiled(draft: Draft, rule: object, place: str, depth: int) -> str:
    if not isinstance(rule, dict) or len(rule) != 1:
        raise Invalid.at(place, "one_condition", f"Write an object with one condition: {', '.join(CONDITIONS)}.")
    [(name, value)] = rule.items()
    place = at(place, name)
    if depth > DEPTH:
        raise Invalid.at(place, "rule_too_deep", f"At most {DEPTH} levels.")
    if name in ("all", "any"):
        return _joined(draft, value, place, (name, depth))
    if name == "not":  # a condition that cannot be told is not met, and so its opposite is
        draft.take(1, place)
        return f"({_condition(draft, value, place, depth + 1)}) IS NOT TRUE"
    if name not in LEAVES:
        raise Invalid.at(place, "unknown_condition", f"One of {', '.join(CONDITIONS)}.")
    return LEAVES[name](draft, value, place)


def _joined(draft: Draft, value: object, place: str, how: tuple[str, int]) -> str:
    name, depth = how
    if not isinstance(value, list) or not value:
        raise Invalid.at(place, "too_few", "Write a list of at least one condition.")
    draft.take(len(value), place)
    parts = [_condition(draft, one, f"{place}/{number}", depth + 1) for number, one in enumerate(value)]
    return "(" + (" AND " if name == "all" else " OR ").join(parts) + ")"


LEAVES: Mapping[str, Callable[[Draft, object, str], str]] = {
    "everyone": traits.everyone,
    "tags": traits.tags,
    "attribute": attribute,
    "language": traits.language,
    "time_zone": traits.time_zone,
    "activity": activity,
    "task": task,
    "user_ids": traits.user_ids,
}
CONDITIONS = ("all", "any", "not", *LEAVES, "audience")  # the last has its rule in its place by now: see `saved`
