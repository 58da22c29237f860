"""What docs/endings.md says of the policy's defaults, and of the phases, is so."""

from __future__ import annotations

import pytest

from agent.hangup.closers import read_lists
from agent.hangup.hang_up import ATTEMPTS, MAX_SECONDS
from agent.hangup.phases import VOICE_GRACE, VOICE_MAX, Phase
from agent.presence import RETURN_SECONDS
from agent.settings import PROJECT_ROOT
from graphs.call_signals import CallPolicy

PAGE = (PROJECT_ROOT / "docs" / "endings.md").read_text()
POLICY = CallPolicy()
LANGUAGES = {
    "en": "English", "de": "German", "es": "Spanish", "fr": "French", "pt": "Portuguese",
    "it": "Italian", "nl": "Dutch", "hi": "Hindi",
}  # fmt: skip


@pytest.mark.parametrize(
    "sentence",
    [
        f"| `silence_timeout`, `silence_reminders` | {POLICY.silence_timeout:g} s, "
        f"{POLICY.silence_reminders} |",
        f"| `max_duration`, `limit_warning` | {(POLICY.max_duration or 0) / 3600:g} h, "
        f"{POLICY.limit_warning:g} s |",
        f"| `first_words_timeout` | {POLICY.first_words_timeout:g} s |",
        f"| `farewell_max_wait` | {POLICY.farewell_max_wait:g} s |",
        f"| `turn_timeout` | {POLICY.turn_timeout:g} s |",
        f"`tail`, {POLICY.tail:g} s.",
        f"at most {VOICE_MAX:g} s, and {VOICE_GRACE:g} s after the sound",
        f"tried {ATTEMPTS} times in at most {MAX_SECONDS:g} s",
        f"waits up to {RETURN_SECONDS:g} s for the same identity",
        *(f"`{phase.value}`" for phase in Phase),
    ],
)
def test_the_page_has_the_numbers_of_the_code(sentence: str) -> None:
    assert sentence in " ".join(PAGE.split())


def test_the_page_names_the_languages_that_there_are_lists_for() -> None:
    assert set(read_lists()) == set(LANGUAGES)
    assert all(name in PAGE for name in LANGUAGES.values())
