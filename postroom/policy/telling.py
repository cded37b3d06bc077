"""A policy's wait in a few words, by the clock where the person lives: for timers, timelines and dry runs."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from postroom.policy.reasons import Wait
from postroom.policy.zones import UTC_NAME, find_zone

DAY = timedelta(days=1)
SENTENCES = {
    Wait.QUIET_HOURS: "quiet hours until {until}",
    Wait.FREQUENCY_CAP: "over {limit} per {per}, next place at {until}",
    Wait.DIGEST: "digest closes at {until}",
    Wait.PAUSED: "paused by the person until {until}",
}
KEPT = {
    "quiet_hours": "quiet hours",
    "frequency_cap": "a frequency cap",
    "digest": "a digest",
    "paused": "a pause",
    "unsubscribed": "a preference",
    "no_consent": "missing consent",
}
GROUNDS = {
    "security": "its class is security",
    "critical": "it is critical",
    "send_now": "sending at once was asked for",
}
FOR_GOOD = "paused by the person until they say otherwise"
UNKNOWN = " (the zone {zone} is unknown, so UTC)"


def said_of(reason: str, detail: Mapping[str, Any], ahead: timedelta) -> str | None:
    """Say what a message waits for; None when no policy made it wait.

    `detail` is what was written when it was decided: `until`, `zone`, `limit`. The date stands there when the end is
    more than a day ahead.
    """
    if reason not in SENTENCES or "until" not in detail:
        return None
    if detail.get("for_good"):
        return FOR_GOOD
    lost = UNKNOWN.format(zone=detail["zone"]) if detail.get("zone_unknown") else ""
    return SENTENCES[Wait(reason)].format_map(dict(detail) | {"until": clock(detail, ahead)}) + lost


def clock(detail: Mapping[str, Any], ahead: timedelta) -> str:
    """Spell `until` by the clock of `zone`: `08:00 Europe/Paris`, with the date when it is more than a day ahead."""
    zone = find_zone(str(detail.get("zone") or UTC_NAME))
    local = datetime.fromisoformat(detail["until"]).astimezone(zone.info)
    spelled = "%H:%M" if local.second == 0 else "%H:%M:%S"
    day = "%Y-%m-%d " if ahead >= DAY else ""
    return f"{local.strftime(day + spelled)} {zone.shown}"


def told_of(kind: str, reason: str | None, detail: Mapping[str, Any]) -> str | None:
    """Say what an event of the timeline tells of policy; None when it tells of something else."""
    if kind == "deferred_by_policy" and (said := said_of(str(reason), detail, DAY)):
        return f"Waiting: {said}."
    if kind == "policy_bypassed":
        kept = " and ".join(KEPT.get(name, name) for name in detail.get("bypassed", ()))
        return f"Not kept by {kept}, because {GROUNDS.get(str(reason), reason)}."
    return None
