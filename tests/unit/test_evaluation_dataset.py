"""A dataset with a mistake is refused, with the place; that of the sample graphs has none."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from lastword.errors import DatasetError
from lastword.tools.evaluation.dataset import (
    Case,
    Line,
    choose_cases,
    read_dataset,
)
from tests import PROJECT_ROOT

GOOD: dict[str, Any] = {
    "id": "a",
    "category": "stop",
    "history": [{"role": "agent", "text": "Hello."}, {"role": "user", "text": "Bye."}],
    "label": "end",
}
SAMPLE_CASES = read_dataset(PROJECT_ROOT / "graphs" / "ends.jsonl")
CATEGORIES = {
    *("goodbye-plain", "goodbye-in-many-words", "goodbye-after-thanks", "thanks-alone"),
    *("thanks-but", "bye-as-a-word", "stop", "hold-on", "no-to-a-slot-question"),
    *("no-to-anything-else", "one-more-thing", "polite-refusal", "not-interested"),
    *("wrong-number", "voicemail", "silence", "repeat-please", "angry", "other-language"),
    *("correction-at-the-end", "long-story"),
}


def written(folder: Path, *rows: object) -> Path:
    """A file of ``rows``; strings are written as they are."""
    file = folder / "cases.jsonl"
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    file.write_text("\n".join(lines))
    return file


def test_a_file_of_an_editor_that_marks_its_encoding_is_read(tmp_path: Path) -> None:
    file = written(tmp_path, GOOD)
    file.write_text(file.read_text(), encoding="utf-8-sig")
    assert [case.id for case in read_dataset(file)] == ["a"]


def test_a_line_is_a_case_and_blank_lines_are_none(tmp_path: Path) -> None:
    spoken = {**GOOD, "id": "b", "language": "de", "note": "why"}
    first, second = read_dataset(written(tmp_path, GOOD, "", spoken, ""))
    assert (first.id, first.language, first.last) == ("a", "", "Bye.")
    assert (second.language, second.note) == ("de", "why")


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("{", "this is not JSON"),
        ("[]", "this is not a JSON object"),
        ({**GOOD, "labl": 1}, "the field `labl` is unknown"),
        (
            {**GOOD, "history": [{"role": "user", "text": "x", "at": 1}]},
            "the field `history[0].at` is unknown",
        ),
        ({key: GOOD[key] for key in ("id", "history", "label")}, "the field `category` is missing"),
        ({**GOOD, "label": "stop"}, "`label` must be 'end' or 'continue', not 'stop'"),
        ({**GOOD, "history": []}, "`history` is empty"),
        ({**GOOD, "id": ""}, "`id` is empty"),
        ({**GOOD, "id": 7}, "`id` is wrong: input should be a valid string"),
        (
            {**GOOD, "history": [{"role": "caller", "text": "x"}]},
            "`history[0].role` must be 'user' or 'agent', not 'caller'",
        ),
        ({**GOOD, "history": GOOD["history"][:1]}, "`history` must end with the caller's line"),
        (
            {**GOOD, "history": [{"role": "agent", "text": " "}, *GOOD["history"]]},
            "`history[0].text` of the agent is empty",
        ),
        (GOOD, "`id` 'a' is already used in line 1"),
    ],
)
def test_a_wrong_line_is_named_with_file_line_and_field(
    tmp_path: Path, row: object, sentence: str
) -> None:
    file = written(tmp_path, GOOD, "", row)
    with pytest.raises(DatasetError) as error:
        read_dataset(file)
    assert str(error.value).startswith(f"{file}, line 3: {sentence}")
    assert "\n" not in str(error.value)


def test_an_empty_file_and_one_that_is_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="has no cases"):
        read_dataset(written(tmp_path, "", " "))
    with pytest.raises(
        DatasetError, match="the dataset 'nowhere' does not exist; give a JSONL file of"
    ):
        read_dataset(Path("nowhere"))


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "cases.jsonl"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DatasetError, match="cannot be read"):
        read_dataset(file)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"id": ' + "1" * 5000 + "}", "this has the number 1111"),
        ('{"id": NaN}', "this has NaN, which is not a JSON number"),
        ("[" * 90_000, "this is nested too deeply"),
        ('{"id": "\\ud800"}', "this has the character U+D800"),
        ('{"' + "x" * 9000 + '": 1}', "is missing"),
        ('{"id": "a", "category": "b", "history": [{"role": "user", "text": "c"}], '
         '"label": "' + "x" * 9000 + '"}', "`label` must be 'end' or 'continue', not 'xxx"),
        (" " + "x" * 2**18, "this is too large: the limit is 256 KiB"),
    ],
)  # fmt: skip
def test_a_hostile_line_is_one_short_sentence(tmp_path: Path, line: str, why: str) -> None:
    file = written(tmp_path, line)
    with pytest.raises(DatasetError) as raised:
        read_dataset(file)
    assert why in str(raised.value)
    assert str(raised.value).startswith(f"{file}, line 1: ")
    assert len(str(raised.value)) < len(str(file)) + 300


def test_a_pipe_or_a_device_is_no_dataset(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in (str(tmp_path / "pipe"), "/dev/zero"):
        with pytest.raises(DatasetError, match="is not a regular file"):
            read_dataset(Path(name))
    with pytest.raises(DatasetError, match="the dataset 'xxx"):
        read_dataset(Path("x" * 9000))


def some_cases(*categories: str) -> list[Case]:
    history = [Line(role="user", text="x")]
    return [
        Case(id=str(number), category=category, history=history, label="end")
        for number, category in enumerate(categories)
    ]


def test_a_limit_spreads_over_the_whole_file() -> None:
    cases = some_cases(*"aabbccdd")
    assert [case.category for case in choose_cases(cases, limit=4)] == list("abcd")
    assert choose_cases(cases, limit=99) == cases


def test_only_cases_of_the_wanted_categories_are_taken_and_unknown_ones_refused() -> None:
    cases = some_cases(*"abcb")
    assert [case.id for case in choose_cases(cases, ["b"])] == ["1", "3"]
    with pytest.raises(DatasetError, match="no category 'x' in the dataset; it has a, b, c"):
        choose_cases(cases, ["b", "x"])


def test_the_sample_set_is_large_and_balanced() -> None:
    labels = Counter(case.label for case in SAMPLE_CASES)
    assert labels.total() >= 300
    assert 0.45 <= labels["end"] / labels.total() <= 0.55
    sizes = Counter(case.category for case in SAMPLE_CASES)
    assert set(sizes) == CATEGORIES
    assert [name for name, size in sizes.items() if size < 12] == []


def test_the_sample_set_says_nothing_twice() -> None:
    last = Counter(case.last.strip().casefold() for case in SAMPLE_CASES)
    assert [text for text, times in last.items() if times > 1] == []


def test_the_sample_set_has_both_labels_where_the_border_is() -> None:
    labels = {
        name: {case.label for case in SAMPLE_CASES if case.category == name}
        for name in ("stop", "thanks-alone", "angry", "other-language", "correction-at-the-end")
    }
    assert [name for name, found in labels.items() if len(found) < 2] == []
    foreign = [case for case in SAMPLE_CASES if case.category == "other-language"]
    both = {(case.language, case.label) for case in foreign}
    languages = {"de", "es", "fr", "pt", "it", "nl", "hi"}
    assert both == {(code, label) for code in languages for label in ("end", "continue")}
