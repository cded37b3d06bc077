"""Conditions on people themselves: how they are called and tagged, what they speak and where they live."""

from postroom.audiences.draft import Draft, members, short, text
from postroom.contacts.person import is_language, is_time_zone
from postroom.errors import Invalid
from postroom.policy.zones import spellings

USER_ID_LENGTH = 64
TAG_LENGTH = 64

TAGGED = """EXISTS (
SELECT FROM contact_tags g WHERE g.tenant_id = k.tenant_id AND g.user_id = k.user_id AND g.tag = {tag})"""


def everyone(draft: Draft, value: object, place: str) -> str:  # noqa: ARG001 - every condition is called alike
    """Compile `true`."""
    if value is not True:
        raise Invalid.at(place, "unknown_value", "Write true.")
    return "true"


def tags(draft: Draft, value: object, place: str) -> str:
    """Compile `{"any": [...], "all": [...], "none": [...]}`: one of them or several, and then all hold."""
    told = members(value, place, (), ("any", "all", "none"))
    if not told:
        raise Invalid.at(place, "too_few", "Name any, all or none.")
    parts = []
    for name in told:
        named = draft.several(told[name], f"{place}/{name}", _tag)
        if name == "all":
            draft.take(len(named), f"{place}/all")
            parts += [TAGGED.format(tag=f"{draft.bind(one)}::text") for one in named]
        else:
            found = TAGGED.format(tag=f"ANY ({draft.bind(named)}::text[])")
            parts.append(f"NOT {found}" if name == "none" else found)
    return "(" + " AND ".join(parts) + ")"


def _tag(value: object, place: str) -> str:
    return short(value, place, TAG_LENGTH)


def user_ids(draft: Draft, value: object, place: str) -> str:
    """Compile a list of names; one that nobody has finds nobody."""
    names = draft.several(value, place, lambda one, where: short(one, where, USER_ID_LENGTH))
    return f"k.user_id = ANY ({draft.bind(names)}::text[])"


def language(draft: Draft, value: object, place: str) -> str:
    """Compile a list of languages, each with every region and script of it: en is en, en-GB, EN-us."""
    beginnings = draft.several(value, place, _language_tag)
    return f"(lower(k.language) || '-') ^@ ANY ({draft.bind(beginnings)}::text[])"


def _language_tag(value: object, place: str) -> str:
    tag = text(value, place)
    if not is_language(tag):
        raise Invalid.at(place, "invalid_language", "Write a language tag (BCP 47), such as en or pt-BR.")
    return f"{tag.lower()}-"


def time_zone(draft: Draft, value: object, place: str) -> str:
    """Compile a list of zones, by all the names that a zone had in the course of its life."""
    zones = draft.several(value, place, _zone)
    names = sorted({spelling for zone in zones for spelling in (zone, *spellings(zone))})
    return f"k.time_zone = ANY ({draft.bind(names)}::text[])"


def _zone(value: object, place: str) -> str:
    name = text(value, place)
    if not is_time_zone(name):
        raise Invalid.at(place, "unknown_time_zone", "Write a zone of the IANA database, such as Europe/Paris.")
    return name
