"""Each trace of the protocol's last section: by the rules nothing goes wrong, without its rule it ends badly."""

from dataclasses import replace

import pytest

from tests.protocol.playing import play
from tests.protocol.rules import Rules, Ticks, World
from tests.protocol.stories import ACCEPTED_UNSETTLED, CLAIMED, FURTHER, PAID_BY_A_ZOMBIE, STORIES, TERMINATED


def without(world: World, *rules: str) -> World:
    """The same world with some rules switched off."""
    return replace(world, rules=Rules(**dict.fromkeys(rules, False)))


@pytest.mark.parametrize("name", STORIES)
def test_by_the_rules_nothing_goes_wrong(name: str) -> None:
    outcome = play(STORIES[name].world, STORIES[name].text)
    assert not outcome.wrong, outcome


@pytest.mark.parametrize("name", STORIES)
def test_without_its_rule_it_ends_badly(name: str) -> None:
    story = STORIES[name]
    assert story.wrong in play(without(story.world, *story.rules), story.text).wrong


@pytest.mark.parametrize("kept", ["control_writes_delivery", "mark_checks_time"])
def test_either_rule_keeps_a_rescheduled_claim_from_being_sent_early(kept: str) -> None:
    story = STORIES["claimed, then rescheduled, and the mark asks no time: sent early"]
    assert not play(without(story.world, *{*story.rules} - {kept}), story.text).wrong & {"sent early"}


@pytest.mark.parametrize("name", FURTHER)
def test_further_stories_are_told_to_their_end(name: str) -> None:
    outcome = play(*FURTHER[name])
    assert not outcome.wrong
    assert {step[0] for step in outcome.refused} <= {"send_now"}


def test_cancel_before_the_mark_takes_the_claim_back() -> None:
    outcome = play(World(), CLAIMED + "cancel 0; mark 0 0; dot 0 0 taken")
    assert outcome.refused == (("dot", 0, 0, "taken"),)
    assert outcome.state.notes[0].state == "cancelled"
    assert not outcome.wrong


def test_run_terminated_between_look_and_claim_needs_the_watchdog() -> None:
    assert play(World(), TERMINATED).ends == ("sent",)
    assert play(without(World(), "wake_by_always_set"), TERMINATED).ends == ("expired",)


def test_accepted_and_never_settled_unless_look_counts_it_as_due() -> None:
    world = World(ticks=Ticks(life=8))
    assert play(world, ACCEPTED_UNSETTLED).ticks == 1
    assert play(without(world, "look_counts_settleable"), ACCEPTED_UNSETTLED).ticks == 8


def test_acceptance_dropped_for_its_token_is_sent_again() -> None:
    story = STORIES["250 after the lease, guarded by the token: dropped"]
    careless = without(story.world, *story.rules)
    assert [play(world, story.text).state.notes[0].deliveries[0].copies for world in (story.world, careless)] == [1, 2]


def test_message_sent_again_by_policy_and_then_skipped_stays_ambiguous() -> None:
    story = STORIES["sent again by policy, then skipped, and the first copy arrived: every end needs ambiguous"]
    note = play(story.world, story.text).state.notes[0]
    assert (note.state, note.ambiguous) == ("skipped", True)


def test_acceptance_learned_after_the_end_corrects_it() -> None:
    story = STORIES["failed with the 250 recorded a moment later, retried: sent again"]
    outcome = play(story.world, story.text)
    assert (outcome.state.notes[0].state, outcome.ends) == ("failed", ("sent",))


def test_wake_up_paid_by_a_pass_nobody_hears_is_found_by_the_watchdog_before_the_old_time() -> None:
    outcome = play(World(ticks=Ticks(retry=4, life=9)), PAID_BY_A_ZOMBIE)
    assert not outcome.refused
    assert not outcome.wrong
    assert outcome.state.notes[0].state == "sent"
