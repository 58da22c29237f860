"""Conversations in Python: LiveKit's results beside the assertions about the call's end."""

from __future__ import annotations

from datetime import datetime

import pytest

from lastword.errors import ConversationError
from lastword.testing.conversation import Conversations, Interruption
from lastword.testing.transcripts.transcript import ModelAnswer

ANNA = {"direction": "outbound", "customer": "Anna Lindt"}
CLOCK = datetime(2026, 11, 21, 9)


async def test_an_appointment_is_confirmed_and_the_call_ends_once(
    lastword_conversation: Conversations,
) -> None:
    async with lastword_conversation("appointment", metadata=ANNA, clock=CLOCK) as call:
        result = await call.says("Yes, this is Anna.")
        said = result.expect.next_event().is_message(role="assistant").event().item
        assert "half past ten" in (said.text_content or "")
        call.expect_open()
        result = await call.says("Yes, that works for me.")
        result.expect.contains_function_call(name="end_call")
        call.expect_says("confirmed", "goodbye")
        call.expect_ended(
            reason="confirmed", once=True, after="Goodbye", outcome={"appointment_id": 1}
        )


async def test_a_request_over_the_goodbye_keeps_the_call(
    lastword_conversation: Conversations,
) -> None:
    async with lastword_conversation("appointment", metadata=ANNA, clock=CLOCK) as call:
        await call.says("Yes, this is Anna.")
        wait = Interruption("Thank you, Anna.", "Oh wait, what day is that?")
        await call.says("Yes, that works for me.", interrupted=wait)
        call.expect_open()
        assert call.replies[2].said == "Thank you, Anna."
        await call.says("No, that is all.")
        call.expect_ended(reason="confirmed")


async def test_what_the_model_answers_can_be_given(lastword_conversation: Conversations) -> None:
    wrong = ModelAnswer(calls={"Understanding": {"intent": "wrong_person"}})
    async with lastword_conversation("appointment", metadata=ANNA, clock=CLOCK) as call:
        await call.says("Mumble.", model=[wrong])
        call.expect_ended(reason="wrong_person", after="goodbye")


async def test_a_hang_up_and_a_silence_have_their_own_ends(
    lastword_conversation: Conversations,
) -> None:
    async with lastword_conversation("appointment", metadata=ANNA, clock=CLOCK) as call:
        await call.hangs_up()
        call.expect_ended(ended_by="caller", reason="caller_hung_up")
    async with lastword_conversation("appointment", metadata=ANNA, clock=CLOCK) as call:
        for _ in range(3):
            await call.is_silent()
        call.expect_ended(ended_by="limit", reason="silence", after="hanging up")


async def test_a_second_conversation_waits_until_the_first_is_over(
    lastword_conversation: Conversations,
) -> None:
    async with lastword_conversation("appointment", metadata=ANNA, clock=CLOCK) as call:
        with pytest.raises(ConversationError, match="another conversation is open"):
            async with lastword_conversation("appointment", metadata=ANNA, clock=CLOCK):
                pass
        await call.says("Yes, this is Anna.")
        call.expect_open()


async def test_a_wrong_assertion_shows_the_conversation(
    lastword_conversation: Conversations,
) -> None:
    async with lastword_conversation("appointment", metadata=ANNA, clock=CLOCK) as call:
        await call.says("No, you have the wrong number.")
        with pytest.raises(AssertionError) as open_:
            call.expect_open()
        with pytest.raises(AssertionError) as reason:
            call.expect_ended(reason="confirmed")
        with pytest.raises(AssertionError) as after:
            call.expect_ended(after="see you on Tuesday")
    assert "it was ended by graph: wrong_person" in str(open_.value)
    assert "caller  No, you have the wrong number." in str(open_.value)
    assert "- confirmed" in str(reason.value)
    assert "+ wrong_person" in str(reason.value)
    assert "- see you on Tuesday" in str(after.value)


async def test_nothing_can_follow_the_end(lastword_conversation: Conversations) -> None:
    async with lastword_conversation("appointment", metadata=ANNA, clock=CLOCK) as call:
        await call.says("No, you have the wrong number.")
        with pytest.raises(AssertionError, match="the call is over, ended by graph: wrong_person"):
            await call.says("Hello?")
        with pytest.raises(ValueError, match="needs the words to expect"):
            call.expect_says()


async def test_an_outcome_of_pytests_own_passes_through(
    lastword_conversation: Conversations,
) -> None:
    with pytest.raises(pytest.fail.Exception, match="meant"):
        async with lastword_conversation("appointment", metadata=ANNA, clock=CLOCK):
            pytest.fail("meant")


async def test_an_open_call_has_not_ended(lastword_conversation: Conversations) -> None:
    async with lastword_conversation("appointment", metadata=ANNA, clock=CLOCK) as call:
        with pytest.raises(AssertionError, match="it goes on"):
            call.expect_ended()
        with pytest.raises(AssertionError, match="did not say 'Good day'"):
            await call.says("Yes.", interrupted=Interruption("Good day", "Hello?"))
