"""The figures of an evaluation are right: known tables in, known numbers out."""

from __future__ import annotations

import json

import pytest

from lastword.testing.intervals import wilson
from lastword.tools.evaluation.dataset import Case, Label, Line
from lastword.tools.evaluation.figures import (
    Decision,
    Outcome,
    Share,
    Side,
    difference,
    figures,
    grouped,
    mcnemar,
    tally,
)
from lastword.tools.evaluation.report import as_json
from lastword.tools.evaluation.second_model import side_from


def decided(
    outcome: Outcome, label: Label, number: int = 1, *, late: int | None = None
) -> list[Decision]:
    """``number`` cases with that outcome and label."""
    return [
        Decision(
            Case(
                id=f"{outcome}-{label}-{late}-{at}",
                category=outcome,
                history=[Line(role="user", text="bye")],
                label=label,
            ),
            outcome,
            seconds=1.0,
            late=late,
        )
        for at in range(number)
    ]


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_the_published_intervals(hits: int, of: int, low: float, high: float) -> None:
    """The four examples of Newcombe 1998, table I, method 3."""
    assert wilson(hits, of) == pytest.approx((low, high), abs=0.00005)


def test_wilson_of_all_mirrors_that_of_none_and_stays_a_share() -> None:
    low, high = wilson(20, 20)
    assert (1 - high, 1 - low) == pytest.approx(wilson(0, 20))
    assert high == 1.0


@pytest.mark.parametrize(("hits", "of"), [(0, 0), (3, 2), (-1, 2)])
def test_a_share_that_is_none_has_no_interval(hits: int, of: int) -> None:
    with pytest.raises(ValueError, match=f"{hits} of {of} is not a share"):
        wilson(hits, of)


@pytest.mark.parametrize(
    ("only_first", "only_second", "p"),
    [
        (0, 0, 1.0),
        (5, 5, 1.0),
        (0, 5, 2 / 32),
        (1, 9, 2 * (1 + 10) / 1024),
        (9, 1, 2 * (1 + 10) / 1024),
        (2, 8, 2 * (1 + 10 + 45) / 1024),
        (600, 900, pytest.approx(0.0, abs=1e-12)),
    ],
)
def test_mcnemar_is_a_two_sided_test_of_a_coin(only_first: int, only_second: int, p: float) -> None:
    assert mcnemar(only_first, only_second) == p


def test_a_confusion_table_becomes_shares_of_the_right_cases() -> None:
    found = figures(
        [
            *decided("ended", "end", 40),
            *decided("ended", "continue", 10),
            *decided("went_on", "end", 20),
            *decided("went_on", "continue", 30),
        ]
    )
    assert found.precision == Share(40, 50)
    assert found.recall == Share(40, 60)
    assert found.false == Share(10, 40)
    assert found.missed == Share(20, 60)
    assert found.right == Share(70, 100)
    assert (found.early, found.failed) == (0, 0)


def test_failed_cases_and_early_hang_ups_are_never_right() -> None:
    found = figures(
        [
            *decided("ended", "end", 4),
            *decided("failed", "end", 2),
            *decided("failed", "continue", 1),
            *decided("early", "end", 1),
            *decided("early", "continue", 1),
            *decided("went_on", "continue", 3),
        ]
    )
    assert found.right == Share(7, 12)
    assert found.precision == Share(4, 6)  # both early ones are endings that should not have been
    assert found.recall == Share(4, 7)
    assert found.false == Share(1, 5)
    assert found.missed == Share(0, 7)
    assert (found.early, found.failed) == (2, 3)


def test_what_was_never_decided_has_no_figures() -> None:
    found = figures(decided("failed", "continue", 2))
    assert found.precision.value is None
    assert found.recall.interval is None
    assert found.seconds is None
    assert found.late.mean is None


def test_missed_endings_are_counted_by_how_late_they_came() -> None:
    missed = [(1, 3), (2, 1), (None, 2)]
    found = figures([one for late, n in missed for one in decided("went_on", "end", n, late=late)])
    assert found.late.after == {1: 3, 2: 1}
    assert found.late.never == 2
    assert found.late.mean == 1.25


def test_groups_are_counted_apart() -> None:
    groups = grouped(
        [*decided("went_on", "end", 2), *decided("ended", "end")], lambda one: one.case.category
    )
    assert list(groups) == ["ended", "went_on"]
    assert tally(groups["went_on"], "missed") == 2


def test_two_sides_differ_where_their_outcomes_do_and_failures_are_left_out_of_the_test() -> None:
    cases = [one.case for one in decided("ended", "end", 6)]

    def side(*outcomes: Outcome) -> list[Decision]:
        return [Decision(case, outcome) for case, outcome in zip(cases, outcomes, strict=True)]

    first = side("ended", "ended", "ended", "went_on", "early", "ended")
    second = side("ended", "went_on", "early", "ended", "went_on", "failed")
    found = difference(first, second)
    assert [one.case.id for one, _ in found.differing] == [case.id for case in cases[1:]]
    assert (found.only_first, found.only_second, found.left_out) == (2, 1, 1)
    assert found.p == 1.0


def test_sides_of_other_cases_are_not_compared() -> None:
    with pytest.raises(ValueError, match="same cases"):
        difference(decided("ended", "end"), decided("ended", "continue"))


def test_what_is_written_as_json_is_read_as_it_was() -> None:
    decisions = [*decided("went_on", "end", late=2), *decided("early", "continue")]
    side = Side("desk", "some-model", tuple(decisions))
    written = as_json({"dataset": "mine"}, [side])
    assert written["dataset"] == "mine"
    assert written["sides"][0]["figures"]["missed"]["total"] == 1
    assert [one["verdict"] for one in written["sides"][0]["cases"]] == ["missed", "early"]
    by_id = {one.case.id: one.case for one in decisions}
    read = json.loads(json.dumps(written))
    assert side_from(read["sides"][0], by_id) == side
