"""Labelled conversations: what was said so far, and whether the call is over then.

The labelling rule: ``end`` = a polite human agent would now say goodbye and hang up;
``continue`` = hanging up now would cut off a caller who wants something.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lastword.errors import DatasetError
from lastword.untrusted.bounded_input import KIB, MIB, BadInput, is_there, read_json, read_text
from lastword.untrusted.printable import excerpt, quoted

MAX_SIZE = 16 * MIB
"""Bytes: about 30,000 cases of 500 characters; all of them are in memory."""
_LONGEST_CASE = 256 * KIB

Label = Literal["end", "continue"]


class Line(BaseModel):
    """What one side said; an empty text of the caller means silence."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    role: Literal["user", "agent"]
    text: str


class Case(BaseModel):
    """A conversation up to a line of the caller; ``label`` tells whether it is over then."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    id: str = Field(min_length=1)
    category: str = Field(min_length=1)
    history: list[Line] = Field(min_length=1)
    label: Label
    language: str = ""
    note: str = ""

    @property
    def last(self) -> str:
        """The caller's last words, after which the graph decides."""
        return self.history[-1].text


class _Place(NamedTuple):
    """A line of a file, for error messages."""

    path: Path
    number: int

    def wrong(self, what: str) -> DatasetError:
        return DatasetError(f"{self.path}, line {self.number}: {what}")


def read_dataset(path: Path) -> list[Case]:
    """Read a JSONL file with one case per line; blank lines are skipped.

    Raises:
        DatasetError: the file does not exist, is empty or cannot be read, or a line does not have
            the documented form; the message names file, line and field.
    """
    if not is_there(path):
        raise DatasetError(
            f"the dataset {quoted(str(path))} does not exist; give a JSONL file of labelled cases"
        )
    try:
        lines = read_text(path, MAX_SIZE).split("\n")
    except BadInput as error:
        raise DatasetError(f"{path}{error.where} {error.why}") from error
    cases: list[Case] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        place = _Place(path, number)
        case = _case(place, line)
        if case.id in seen:
            raise place.wrong(f"`id` {quoted(case.id)} is already used in line {seen[case.id]}")
        seen[case.id] = number
        cases.append(case)
    if not cases:
        raise DatasetError(f"{path} has no cases; it needs one JSON object per line")
    return cases


def choose_cases(
    cases: Sequence[Case], categories: Collection[str] = (), limit: int | None = None
) -> list[Case]:
    """Choose the cases of ``categories`` (empty: all), at most ``limit``, spread over the file.

    Raises:
        DatasetError: one of the categories has no case.
    """
    known = {case.category for case in cases}
    if unknown := sorted(set(categories) - known):
        raise DatasetError(
            f"there is no category {quoted(unknown[0])} in the dataset; "
            f"it has {excerpt(', '.join(sorted(known)), 400)}"
        )
    chosen = [case for case in cases if not categories or case.category in categories]
    if limit is None or limit >= len(chosen):
        return chosen
    return [chosen[number * len(chosen) // limit] for number in range(limit)]


def _case(place: _Place, line: str) -> Case:
    try:
        case = Case.model_validate(read_json(line, _LONGEST_CASE))
    except BadInput as error:
        raise place.wrong(f"this {error.why}") from error
    except ValidationError as error:
        raise place.wrong(_sentence(error)) from error
    if case.history[-1].role != "user":
        raise place.wrong("`history` must end with the caller's line (role 'user')")
    for number, said in enumerate(case.history):
        if said.role == "agent" and not said.text.strip():
            raise place.wrong(f"`history[{number}].text` of the agent is empty")
    return case


def _sentence(error: ValidationError) -> str:
    """The first error as a sentence."""
    first = error.errors()[0]
    field = "".join(f"[{at}]" if isinstance(at, int) else f".{at}" for at in first["loc"])
    field = f"`{excerpt(field.lstrip('.'), 80)}`"
    match first["type"]:
        case "extra_forbidden":
            return f"the field {field} is unknown"
        case "missing":
            return f"the field {field} is missing"
        case "literal_error":
            return f"{field} must be {first['ctx']['expected']}, not {quoted(first['input'])}"
        case "too_short" | "string_too_short":
            return f"{field} is empty"
        case "model_type":
            return f"{'this' if field == '``' else field} is not a JSON object"
        case _:
            return f"{field} is wrong: {first['msg'][0].lower()}{first['msg'][1:]}"
