"""The simulated caller speaks when it is its turn, or over the words that its line waits for."""

from __future__ import annotations

import pytest

from lastword.errors import CallFailed
from lastword.testing.stage.caller_job import CallerLine, read_job
from lastword.testing.stage.caller_turns import CallerTurns
from lastword.untrusted.patterns import SlowPattern

WAIT = CallerLine("Oh wait.", over="thank you, Anna")


def turns(*lines: CallerLine, say_again: str | None = None) -> CallerTurns:
    return CallerTurns(lines, say_again)


def test_a_line_is_spoken_when_the_agent_has_stopped() -> None:
    caller = turns(CallerLine("Hello."), CallerLine("Bye."))
    assert caller.agent_stopped() is None, "the agent has not spoken so far"
    caller.agent_started()
    assert caller.agent_stopped() == 0
    caller.finished(agent_speaking=False)
    assert caller.agent_stopped() is None, "the agent has not answered"
    caller.agent_started()
    assert caller.agent_stopped() == 1


def test_a_pause_in_mid_utterance_is_not_the_end_of_it() -> None:
    caller = turns(CallerLine("Hello."))
    caller.agent_started()
    caller.agent_said("one", "Good")
    assert caller.agent_stopped() is None
    assert caller.agent_finished("one") == 0


def test_words_that_end_before_the_sound_wait_for_it() -> None:
    caller = turns(CallerLine("Hello."))
    caller.agent_started()
    caller.agent_said("one", "Good day.")
    assert caller.agent_finished("one") is None
    assert caller.agent_stopped() == 0


def test_words_that_come_before_their_sound_are_no_turn_of_the_callers() -> None:
    caller = turns(CallerLine("Hello."))
    caller.agent_said("one", "Good day.")
    assert caller.agent_finished("one") is None
    caller.agent_started()
    assert caller.agent_stopped() == 0


def test_a_line_over_words_is_spoken_when_they_are_heard() -> None:
    caller = turns(WAIT)
    caller.agent_started()
    assert caller.agent_said("one", "Thank you,") is None
    assert caller.agent_said("one", "Thank you, Anna. Your") == 0
    assert caller.agent_said("one", "Thank you, Anna. Your appointment") is None, "once"


def test_words_that_never_come_leave_the_line_to_its_turn() -> None:
    caller = turns(WAIT)
    caller.agent_started()
    caller.agent_said("one", "Good day.")
    caller.agent_finished("one")
    assert caller.agent_stopped() == 0


def test_a_caller_who_listens_lets_the_agent_speak_twice() -> None:
    caller = turns(CallerLine(does="listen"), CallerLine("Yes."))
    caller.agent_started()
    assert caller.agent_stopped() is None
    assert caller.agent_stopped() is None, "the agent must speak anew"
    caller.agent_started()
    assert caller.agent_stopped() == 1


def test_a_line_is_said_again_when_the_agent_asks_for_it() -> None:
    caller = turns(CallerLine("Hello."), CallerLine("Bye."), say_again="say that again")
    caller.agent_started()
    assert caller.agent_stopped() == 0
    caller.finished(agent_speaking=False)
    caller.agent_started()
    caller.agent_said("two", "Could you say that again?")
    caller.agent_finished("two")
    assert caller.agent_stopped() == 0


def test_after_a_line_over_an_utterance_the_caller_waits_for_another_one() -> None:
    caller = turns(WAIT, CallerLine("Bye."))
    caller.agent_started()
    assert caller.agent_said("one", "Thank you, Anna.") == 0
    caller.agent_finished("one")
    caller.finished(agent_speaking=True)
    assert caller.agent_stopped() is None, "it is the first utterance that has stopped"
    caller.agent_started()
    caller.agent_said("two", "Of course.")
    caller.agent_finished("two")
    assert caller.agent_stopped() == 1


def test_a_pattern_for_repeating_that_tries_everything_is_given_up() -> None:
    caller = turns(CallerLine("Hello."), say_again="(a|aa)+$")
    caller.agent_started()
    assert caller.agent_stopped() == 0
    caller.finished(agent_speaking=False)
    caller.agent_started()
    caller.agent_said("one", "a" * 60 + "!")
    caller.agent_finished("one")
    with pytest.raises(SlowPattern, match="the pattern '.a.aa..[$]' takes more than 1 s"):
        caller.agent_stopped()


@pytest.mark.parametrize(
    ("job", "why"),
    [
        ("{", "is not JSON"),
        ("[" * 90_000, "is nested too deeply"),
        ('{"url": "u", "token": "t", "repeat_pattern": "("}', "is not a regular expression"),
        ('{"url": "u", "token": "t", "repeat_pattern": "(a{99}){99999}"}', "repeats too much"),
        ('{"url": "u", "token": "t", "lines": [7]}', "must be strings or objects, not 7"),
    ],
)
def test_a_job_that_cannot_be_done_is_one_sentence(job: str, why: str) -> None:
    with pytest.raises(CallFailed, match=why):
        read_job(job)
