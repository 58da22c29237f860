"""A caller who says goodbye too is told from one who wants something more (P3)."""

from __future__ import annotations

from importlib.resources import files
from itertools import chain
from pathlib import Path

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from lastword.hangup.closers import LISTS, is_closer, read_lists, split_words

SAID: dict[str, dict[str, list[str]]] = {
    kind: {code: [said.strip() for said in text.split("|")] for code, text in languages.items()}
    for kind, languages in yaml.safe_load(
        (Path(__file__).parent / "over_farewells.yaml").read_text(encoding="utf-8")
    ).items()
}
CLOSERS, REQUESTS = SAID["closers"], SAID["requests"]
ASK_FOR_NOTHING = ["", "  ", "...", "uh", "Hm.", "mhm", "Oh, um...", "Mm-hmm."]
ANY_LANGUAGE = ["", "multi", "ja", "x-unknown"]

LANGUAGES = read_lists()
KNOWN_WORDS = set(
    chain.from_iterable(
        phrase
        for lists in LANGUAGES.values()
        for phrase in lists.closers | lists.fillers | lists.lead_ins
    )
)
closers = [(said, language) for language, table in CLOSERS.items() for said in table]
requests = [(said, language) for language, table in REQUESTS.items() for said in table]


@pytest.mark.parametrize(("said", "language"), closers)
def test_p3_a_goodbye_over_the_farewell_is_a_closer(said: str, language: str) -> None:
    assert is_closer(said, language)
    assert is_closer(said.upper(), language)


@pytest.mark.parametrize(("said", "language"), requests)
def test_p3_whatever_may_want_something_is_no_closer(said: str, language: str) -> None:
    assert not is_closer(said, language)
    assert not is_closer(f"okay, {said}", language)


@pytest.mark.parametrize("unknown", ANY_LANGUAGE)
def test_p3_in_an_unknown_language_every_goodbye_is_a_closer(unknown: str) -> None:
    assert [said for said, _ in closers if not is_closer(said, unknown)] == []


@pytest.mark.parametrize("unknown", ANY_LANGUAGE)
def test_p3_in_an_unknown_language_a_request_is_still_no_closer(unknown: str) -> None:
    assert [said for said, _ in requests if is_closer(said, unknown)] == []


@pytest.mark.parametrize("said", ASK_FOR_NOTHING)
@pytest.mark.parametrize("language", ["en", "hi", ""])
def test_p3_what_asks_for_nothing_is_a_closer(said: str, language: str) -> None:
    assert is_closer(said, language)


@pytest.mark.parametrize("language", ["pt", "pt-BR", "pt_PT", "PT-br"])
def test_p3_a_region_does_not_hide_the_language(language: str) -> None:
    assert is_closer("valeu", language)
    assert not is_closer("tschüss", language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_p3_english_goodbyes_are_understood_in_every_language(language: str) -> None:
    assert [said for said in CLOSERS["en"] if not is_closer(said, language)] == []


@pytest.mark.parametrize(
    "said", ["and you were very helpful", "that's all set", "God bless, you are welcome"]
)
def test_p3_a_longer_phrase_at_the_start_does_not_hide_the_right_cut(said: str) -> None:
    """A reader who takes the longest phrase first is stuck after "and you", "that's all"."""
    assert is_closer(said, "en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_p3_every_listed_closer_is_one_alone(language: str) -> None:
    listed = [" ".join(words) for words in LANGUAGES[language].closers]
    assert [said for said in listed if not is_closer(said, language)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_p3_fillers_may_stand_alone_and_lead_ins_may_not(language: str) -> None:
    lists = LANGUAGES[language]
    assert [words for words in lists.fillers if not is_closer(" ".join(words), language)] == []
    assert [words for words in lists.lead_ins if is_closer(" ".join(words), language)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_phrase_is_in_two_lists(language: str) -> None:
    lists = LANGUAGES[language]
    assert not lists.closers & lists.fillers
    assert not (lists.closers | lists.fillers) & lists.lead_ins


@given(
    st.sampled_from(closers),
    st.lists(st.sampled_from(sorted(KNOWN_WORDS)), max_size=4),
    st.text("abcdefghijklmnopqrstuvwxyz", min_size=1),
    st.lists(st.sampled_from(sorted(KNOWN_WORDS)), max_size=4),
    st.sampled_from([None, *ANY_LANGUAGE]),
)
def test_p3_a_closer_followed_by_a_word_with_content_is_no_closer(
    closer: tuple[str, str], before: list[str], content: str, after: list[str], unknown: str | None
) -> None:
    assume(content not in KNOWN_WORDS)
    said, language = closer
    sentence = " ".join([said, *before, content, *after])
    assert not is_closer(sentence, language if unknown is None else unknown)


@given(st.lists(st.sampled_from(CLOSERS["en"] + ASK_FOR_NOTHING)), st.sampled_from(", ;!—\n"))
def test_p3_goodbyes_in_a_row_are_a_closer(said: list[str], between: str) -> None:
    assert is_closer(between.join([*said, ""]), "en")


@given(st.text())
def test_p3_whatever_was_heard_there_is_an_answer(heard: str) -> None:
    assert is_closer(heard, "multi") in {True, False}
    assert is_closer(heard, "") or split_words(heard)


def test_words_keep_the_vowel_signs_of_devanagari_and_lose_the_accents_of_latin() -> None:
    assert split_words("हिन्दी में, धन्यवाद। À bientôt!") == ("हिन्दी", "में", "धन्यवाद", "a", "bientot")
    assert split_words("शुक्\u200dरिया") == split_words("शुक्रिया")


def test_an_apostrophe_is_one_however_it_is_written_and_only_inside_a_word() -> None:
    assert split_words("that\u2019s that\u00b4s 'okay'") == ("that's", "that's", "okay")


def test_the_lists_are_where_an_installed_package_finds_them() -> None:
    assert (files("lastword.hangup") / "closers.yaml").read_bytes() == LISTS.read_bytes()


def test_a_phrase_can_be_added_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "closers.yaml"
    path.write_text("en:\n  closers: Yes, no,\n    that's it\n", encoding="utf-8")
    assert read_lists(path)["en"].closers == {
        ("yes",),
        ("no",),
        ("that's", "it"),
        ("thats", "it"),
    }
