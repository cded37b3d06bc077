"""How an answer says that an earlier request under the same key had made what it shows."""


def replay_header(*, replayed: bool) -> dict[str, str]:
    """Return the header that tells of it; none for a request that is new."""
    return {"Idempotent-Replayed": "true"} if replayed else {}
