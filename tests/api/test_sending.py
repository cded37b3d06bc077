"""A caller sends a notification and learns what became of it."""

from tests.api.conftest import Caller


async def test_smoke(alice: Caller) -> None:
    answer = await alice.send()
    print(answer.status_code, answer.json(), answer.headers)
    for path in ("", "/status", "/timeline"):
        got = await alice.ask("GET", f"/notifications/{answer.json()['id']}{path}")
        print(got.status_code, got.text)
    print((await alice.ask("GET", "/notifications")).text)
    got = await alice.wire.get("/docs")
    print(got.status_code, len(got.text))
    got = await alice.wire.get("/ready")
    print(got.status_code, got.text)
    assert answer.status_code == 202
