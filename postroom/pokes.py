"""How long a row that owes its workflow a poke waits for the next one: twice as long each time, up to a bound."""

from postroom.timing import Timing


def backed_off(row: str) -> str:
    """SQL that counts a poke of `row`, an alias of its table, and puts the next one off; see `backoff`."""
    wait = f"least(%(first)s * power(2, least({row}.pokes, 16)), %(last)s)"
    return f"pokes = {row}.pokes + 1, next_poke_at = now() + {wait}"


def backoff(timing: Timing, limit: int) -> dict[str, object]:
    """What a statement with `backed_off` in it asks for: the waits, and how many rows it takes."""
    return {"first": timing.poke_backoff, "last": timing.poke_backoff_last, "limit": limit}
