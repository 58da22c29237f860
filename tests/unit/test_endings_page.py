"""docs/endings.md and docs/livekit-endings.md have the numbers and the reasons of the code."""

from __future__ import annotations

import pytest
from livekit import rtc
from livekit.agents import CloseReason
from livekit.agents.voice.room_io.types import DEFAULT_CLOSE_ON_DISCONNECT_REASONS

from lastword.hangup.closers import read_lists
from lastword.hangup.hang_up import ATTEMPTS, MAX_SECONDS
from lastword.hangup.phases import VOICE_GRACE, VOICE_MAX, Phase
from lastword.room.presence import RETURN_SECONDS, end_by_leaving
from lastword.signals import CallPolicy
from tests import PROJECT_ROOT

PAGE = (PROJECT_ROOT / "docs" / "endings.md").read_text()
LIVEKIT_PAGE = (PROJECT_ROOT / "docs" / "livekit-endings.md").read_text()
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


def table(page: str, heading: str) -> list[list[str]]:
    """The rows of the table under a heading of a page, cell by cell, without the table's head."""
    part = page.split(f"# {heading}\n")[1].split("\n#", maxsplit=1)[0]
    rows = [line for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


DISCONNECT_REASONS = ["None", *rtc.DisconnectReason.keys()]


def test_the_page_has_lastwords_record_of_every_disconnect_reason() -> None:
    rows = table(PAGE, "When somebody leaves")
    assert [row[0].strip("`") for row in rows] == DISCONNECT_REASONS
    for name, ended_by, reason in ([cell.strip("`") for cell in row] for row in rows):
        end = end_by_leaving(None if name == "None" else rtc.DisconnectReason.Value(name))
        assert (ended_by, reason) == (end.ended_by, end.reason), name


def test_livekits_page_has_every_disconnect_reason() -> None:
    rows = table(LIVEKIT_PAGE, "Why somebody left")
    assert [row[0].strip("`") for row in rows] == DISCONNECT_REASONS


def test_livekits_page_says_for_which_reasons_a_session_closes_itself() -> None:
    rows = table(LIVEKIT_PAGE, "Why somebody left")
    closing = {row[0].strip("`") for row in rows if row[2] == "closes"}
    own = {rtc.DisconnectReason.Name(reason) for reason in DEFAULT_CLOSE_ON_DISCONNECT_REASONS}
    assert closing == own


@pytest.mark.parametrize(
    ("page", "heading"),
    [(PAGE, "When the session closes"), (LIVEKIT_PAGE, "Why a session closed")],
)
def test_both_pages_have_every_close_reason(page: str, heading: str) -> None:
    names = [row[0].strip("`") for row in table(page, heading)]
    assert names == [reason.name for reason in CloseReason]
