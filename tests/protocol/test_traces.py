"""Each trace of the protocol's last section: without its rule it ends badly, with the rule it does not."""

from dataclasses import replace

import pytest

from tests.protocol.playing import Outcome, play
from tests.protocol.rules import Rules, Ticks, World

CARRIED = "gather 0; poke 0; call 0; begin 0 0;"
CLAIMED = CARRIED + "claim 0;"
MARKED = CLAIMED + "mark 0 0;"
SLEEPING = "gather_waiting 0; poke 0; call 0;"


def tell_twice(world: World, story: str, *off: str) -> Outcome:
    """Play the story by the rules, where nothing may go wrong, then without the named rules; return what that did."""
    lawful = play(world, story)
    assert not lawful.wrong, lawful
    return play(replace(world, rules=Rules(**dict.fromkeys(off, False))), story)


def test_look_reads_before_it_locks_and_misses_the_newcomer() -> None:
    story = SLEEPING + "look 0; join_waiting 1 0; look_write 0"
    careless = tell_twice(World(notes=2, scheduled=1), story, "look_reads_under_lock")
    assert not careless.refused
    assert "nobody owes the look" in careless.wrong


def test_look_that_closes_before_it_locks_strands_the_newcomer() -> None:
    story = SLEEPING + "cancel 0; look 0; join_waiting 1 0; look_write 0"
    careless = tell_twice(World(notes=2, scheduled=1), story, "look_reads_under_lock")
    assert "open on a closed carrier" in careless.wrong


def test_join_without_a_second_look_at_the_carrier_ends_on_a_closed_one() -> None:
    story = SLEEPING + "cancel 0; look 0; join_waiting 1 0"
    careless = tell_twice(World(notes=2, scheduled=1), story, "join_rechecks_carrier")
    assert "open on a closed carrier" in careless.wrong


def test_run_terminated_between_look_and_claim_is_forgotten_without_a_watchdog() -> None:
    story = CARRIED + "finish 0; terminate 0"
    careless = tell_twice(World(), story, "wake_by_always_set")
    assert careless.ends == ("expired",)
    assert play(World(), story).ends == ("sent",)


def test_old_answer_applied_to_a_new_attempt_makes_a_second_copy() -> None:
    story = MARKED + """
        dot 0 0 dropped; record_silence 0 0; tick; tick; ask 0 0; fall_silent 0;
        begin 1 0; ask 1 0; resolve 1 0; claim 1; mark 1 0; dot 1 0 unheard; record_silence 1 0; tick; tick;
        resolve 0 0; claim 0; mark 0 0; dot 0 0 taken
    """
    careless = tell_twice(World(ticks=Ticks(life=6), faults=3), story, "evidence_names_attempt")
    assert not careless.refused
    assert "copy nobody decided" in careless.wrong


def test_retry_of_a_failure_that_was_accepted_a_moment_later_sends_again() -> None:
    story = MARKED + """
        fall_silent 0; tick; lapse 0; dot 0 0 taken; begin 1 0; ask 1 0; resolve 1 0; tick; ask 1 0; resolve 1 0; tick;
        ask 1 0; resolve 1 0; finish 1; record_accepted 0 0; retry 0
    """
    careless = tell_twice(World(answers=False, resends=False), story, "retry_spares_accepted")
    assert not careless.refused
    assert "acceptance forgotten" in careless.wrong
    assert play(World(answers=False, resends=False), story + "; correct 0").ends == ("sent",)


def test_release_that_overwrites_a_reschedule_sends_early() -> None:
    story = CARRIED + "reschedule 0; release 0 0; tick; reschedule 0; release_write 0 0"
    careless = tell_twice(World(ticks=Ticks(delay=2), actions=2), story, "release_reads_under_lock")
    assert "sent early" in careless.wrong


def test_accepted_and_never_settled_unless_look_counts_it_as_due() -> None:
    story = MARKED + "fall_silent 0; begin 1 0; finish 1; dot 0 0 taken; record_accepted 0 0; kill 0"
    careless = tell_twice(World(ticks=Ticks(life=8)), story, "look_counts_settleable")
    assert not careless.refused
    assert careless.ticks == 8
    assert play(World(ticks=Ticks(life=8)), story).ticks == 1


def test_mark_that_reads_wanted_from_the_notification_sends_after_cancel() -> None:
    story = CLAIMED + "mark 0 0; cancel 0; mark_write 0 0; dot 0 0 taken"
    careless = tell_twice(World(), story, "control_writes_delivery")
    assert not careless.refused
    assert {"hand-off after cancel", "sent after cancelled"} <= careless.wrong


def test_cancel_before_the_mark_takes_the_claim_back() -> None:
    lawful = play(World(), CLAIMED + "cancel 0; mark 0 0; dot 0 0 taken")
    assert lawful.refused == (("dot", 0, 0, "taken"),)
    assert lawful.state.notes[0].state == "cancelled"
    assert not lawful.wrong


@pytest.mark.parametrize("kept", ["", "control_writes_delivery", "mark_checks_time"])
def test_claimed_then_rescheduled_is_sent_early_without_revoked_claim_and_without_time_in_the_mark(kept: str) -> None:
    off = {"control_writes_delivery", "mark_checks_time"} - {kept}
    careless = tell_twice(World(), CLAIMED + "reschedule 0; mark 0 0; mark_write 0 0", *off)
    assert ("sent early" in careless.wrong) == (not kept)


def test_mark_that_asks_no_time_sends_after_expiry() -> None:
    careless = tell_twice(World(ticks=Ticks(life=1, claim_lease=2)), CLAIMED + "tick; mark 0 0", "mark_checks_time")
    assert "sent after expiry" in careless.wrong


@pytest.mark.parametrize("story", [CLAIMED, MARKED], ids=["claimed", "marked"])
def test_worker_that_dies_with_work_in_hand_closes_the_page_unless_every_open_member_counts(story: str) -> None:
    careless = tell_twice(World(), story + "kill 0; begin 1 0; finish 1", "close_only_when_empty")
    assert "open on a closed carrier" in careless.wrong


def test_workflow_that_believes_its_activity_fails_what_was_accepted() -> None:
    story = MARKED + "dot 0 0 taken; record_accepted 0 0; kill 0; begin 1 0; finish 1"
    careless = tell_twice(World(), story, "rows_decide")
    assert "ended against acceptance" in careless.wrong


def test_claim_that_treats_a_hand_off_like_a_claim_sends_again() -> None:
    story = MARKED + "dot 0 0 taken; kill 0; tick; begin 1 0; claim 1; mark 1 0; dot 1 0 taken"
    careless = tell_twice(World(), story, "hand_off_is_never_reclaimed")
    assert "copy nobody decided" in careless.wrong


ZOMBIE_DOT = MARKED + "fall_silent 0; tick; lapse 0; begin 1 0; ask 1 0;"


def test_absence_believed_while_the_old_connection_lives_makes_two_copies() -> None:
    story = ZOMBIE_DOT + "resolve 1 0; claim 1; mark 1 0; dot 1 0 taken; dot 0 0 taken"
    careless = tell_twice(World(), story, "absence_waits")
    assert "copy nobody decided" in careless.wrong


def test_absence_asked_within_the_window_and_applied_after_it_makes_two_copies() -> None:
    story = ZOMBIE_DOT + "dot 0 0 taken; tick; resolve 1 0; claim 1; mark 1 0; dot 1 0 taken"
    careless = tell_twice(World(), story, "absence_is_asked_after_window")
    assert "copy nobody decided" in careless.wrong


def test_acceptance_that_needs_a_token_is_dropped_and_sent_again() -> None:
    story = MARKED + """
        fall_silent 0; tick; lapse 0; dot 0 0 taken; record_accepted 0 0;
        begin 1 0; ask 1 0; resolve 1 0; tick; ask 1 0; resolve 1 0; claim 1; mark 1 0; dot 1 0 taken
    """
    world = World(answers=False)
    careless = tell_twice(world, story, "acceptance_needs_no_token")
    assert "acceptance dropped" in careless.wrong
    assert sum(row.copies for row in careless.state.notes[0].deliveries) == 2
    assert sum(row.copies for row in play(world, story).state.notes[0].deliveries) == 1


def test_message_sent_again_by_policy_and_then_skipped_stays_ambiguous() -> None:
    story = MARKED + """
        dot 0 0 unheard; record_silence 0 0; tick; tick; ask 0 0; resolve 0 0; skip 0 0; finish 0
    """
    world = World(answers=False)
    careless = tell_twice(world, story, "resend_stays_ambiguous")
    assert "delivered, unsaid" in careless.wrong
    honest = play(world, story).state.notes[0]
    assert (honest.state, honest.ambiguous) == ("skipped", True)


def test_expiry_in_the_middle_of_a_hand_off_denies_a_delivery() -> None:
    story = MARKED + "tick; expire 0; dot 0 0 taken"
    careless = tell_twice(World(ticks=Ticks(life=1)), story, "expiry_spares_in_flight")
    assert "delivered, unsaid" in careless.wrong


def test_start_noted_before_it_is_made_is_never_made() -> None:
    careless = tell_twice(World(), "gather 0; poke 0; lose_call 0", "owed_until_looked")
    assert "nobody owes the look" in careless.wrong


def test_start_that_meets_a_closing_run_carries_nothing() -> None:
    story = CLAIMED + """
        envelope 0 0 4xx; record_definite 0 0; release 0 0; tick; gather 0; poke 1; call 1; finish 0; wake 0; look 0
    """
    careless = tell_twice(World(), story, "start_proves_nothing")
    assert "nobody owes the look" in careless.wrong


def test_send_now_with_one_signal_that_is_lost_sleeps_to_the_old_time() -> None:
    story = SLEEPING + "look 0; send_now 0; lose_call 0"
    careless = tell_twice(World(scheduled=2), story, "control_owes_wake_up")
    assert "nobody owes the look" in careless.wrong


def test_job_that_adds_up_what_passes_say_loses_what_a_killed_pass_did() -> None:
    story = """
        gather_page; poke 0; call 0; begin 0 0; claim 0; mark 0 0; dot 0 0 taken; record_accepted 0 0; kill 0; tick;
        begin 1 0; claim 1; mark 1 1; dot 1 1 taken; record_accepted 1 1; finish 1
    """
    careless = tell_twice(World(notes=2), story, "rows_are_counted")
    assert not careless.refused
    assert "job miscounted" in careless.wrong


def test_next_channel_due_now_forgets_a_reschedule() -> None:
    story = CLAIMED + "envelope 0 0 5xx; record_definite 0 0; reschedule 0; finish 0"
    careless = tell_twice(World(channels=2), story, "reschedule_outlives_fall_back")
    assert "sent early" in careless.wrong


def test_wake_up_paid_by_a_pass_nobody_hears_is_found_by_the_watchdog_before_the_old_time() -> None:
    story = CARRIED + """
        fall_silent 0; begin 1 0; claim 1; envelope 1 0 4xx; record_definite 1 0; finish 1; send_now 0; finish 0;
        tick; tick; watch 0; poke 0; call 0; wake 0; look 0; begin 0 0; claim 0; mark 0 0; dot 0 0 taken
    """
    outcome = play(World(ticks=Ticks(retry=4, life=9)), story)
    assert not outcome.refused
    assert not outcome.wrong
    assert outcome.state.notes[0].deliveries[0].copies == 1
