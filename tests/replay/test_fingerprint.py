"""The order of commands changes on purpose or not at all."""

import json

from tests.replay.fingerprint import FILE, fingerprints, of_source

HELP = """
The commands of a workflow changed. Runs that are open now will be replayed with the new code: where it asks for other
commands, or in another order, they stop with a nondeterminism error.

  1. Gate the new way:  if workflow.patched("what-changed"): <new> else: <old>
     and keep the old way until no run that began before the change is open.
  2. Record the shapes that are new, and only those if the old ones still replay:  python -m tests.replay.record
  3. Then write the new order down:  python -m tests.replay.fingerprint

Options, summaries and time-outs may change freely; they are not part of it.
"""

SAMPLE = """
class Carrying:
    async def run(self, errand):
        await self.look()
        await workflow.execute_activity_method(Passes.send, errand, summary="send")
        await workflow.sleep(5)

    async def look(self):
        return await workflow.execute_local_activity_method(Looks.look, self.errand)
"""


def test_the_commands_are_those_written_down() -> None:
    assert fingerprints() == json.loads(FILE.read_text()), HELP


def test_a_changed_order_changes_the_fingerprint() -> None:
    first, second, third = [line for line in SAMPLE.splitlines() if line.startswith("        await")]
    swapped = SAMPLE.replace(first, "#").replace(second, first).replace("#", second)
    assert of_source(SAMPLE)["run"] == ["self.look", "execute_activity_method Passes.send", "sleep"]
    assert of_source(swapped)["run"] == ["execute_activity_method Passes.send", "self.look", "sleep"]
    assert of_source(SAMPLE.replace(third, ""))["run"] == ["self.look", "execute_activity_method Passes.send"]


def test_a_changed_summary_does_not() -> None:
    assert of_source(SAMPLE.replace('"send"', '"hand off"')) == of_source(SAMPLE)
