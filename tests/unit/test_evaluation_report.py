"""A report says what was measured, in the terminal and as Markdown."""

from __future__ import annotations

from lastword.terminal import SafeConsole
from lastword.tools.evaluation.dataset import Case, Label, Line
from lastword.tools.evaluation.decision import Decision, Outcome, Side
from lastword.tools.evaluation.report import Block, Cases, Table, report
from lastword.tools.evaluation.view import SHOWN_CASES, markdown, show


def decision(number: int, outcome: Outcome, label: Label, language: str = "") -> Decision:
    history = [Line(role="user", text=f"words *{number}* | [red]")]
    case = Case(id=f"c{number}", category="stop", history=history, label=label, language=language)
    return Decision(case, outcome, asked="And?", said="Well.", reason="done")


MISSED: tuple[Outcome, Label] = ("went_on", "end")
FALSE: tuple[Outcome, Label] = ("ended", "continue")


def side(*outcomes: tuple[Outcome, Label], language: str = "") -> Side:
    decisions = (decision(at, *one, language) for at, one in enumerate(outcomes))
    return Side("desk", "a-model", tuple(decisions))


def rows(blocks: list[Block], title: str) -> list[tuple[str, ...]]:
    [table] = [block for block in blocks if isinstance(block, Table) and block.title == title]
    return [table.head, *table.rows]


def shown(blocks: list[Block]) -> str:
    console = SafeConsole(width=100)
    with console.capture() as capture:
        show(blocks, console)
    return capture.get()


def test_the_main_table_has_shares_of_a_hundred_with_interval_and_counts() -> None:
    blocks = report(["head"], [side(("ended", "end"), ("ended", "continue"))])
    assert blocks[0] == "head"
    main = {row[0]: row[1] for row in rows(blocks, "")[1:]}
    assert main['precision of "end"'] == "50.0 % (9.5 to 90.5; 1 of 2)"
    assert main["false hang-ups per 100 continue"] == "100.0 (20.7 to 100.0; 1 of 1)"
    assert main["missed ones end"] == "-"


def test_ways_of_being_wrong_that_did_not_occur_have_no_column() -> None:
    alone = rows(report([], [side(("went_on", "end"))]), "by category")
    assert alone == [
        ("category", "n", "right", "95 % interval", "false", "missed"),
        ("stop", "1", "0", "0-79", "0", "1"),
    ]
    failed = rows(report([], [side(("failed", "end"))]), "by category")
    assert failed[0][-1] == "failed"
    assert failed[1][-2:] == ("0", "1")


def test_languages_have_a_table_only_if_the_cases_have_languages() -> None:
    blocks = report([], [side(("ended", "end"), language="pt")])
    assert rows(blocks, "by language")[1][0] == "pt"
    without = report([], [side(("ended", "end"))])
    assert [block.title for block in without if isinstance(block, Table)] == ["", "by category"]


def test_two_sides_stand_side_by_side_and_their_differences_are_to_be_read() -> None:
    blocks = report([], [side(("ended", "end")), side(("went_on", "end"))])
    assert rows(blocks, "")[0] == ("", "A: desk (a-model)", "B: desk (a-model)")
    assert rows(blocks, "by category")[1] == ("stop", "1", "1 (21-100)", "0, 0", "0 (0-79)", "0, 1")
    [sentence] = [block for block in blocks if isinstance(block, str) and "McNemar" in block]
    assert sentence.startswith("Only A is right in 1 cases, only B in 0;")
    [differing] = [b for b in blocks if isinstance(b, Cases) and "A and B" in b.title]
    assert ("B went on", "Well.") in differing.cases[0].lines


def test_the_terminal_shows_the_first_wrong_cases_and_says_how_many_there_are() -> None:
    text = shown(report([], [side(*[MISSED] * (SHOWN_CASES + 2))]))
    assert f"missed hang-ups of desk (a-model): {SHOWN_CASES + 2}" in text
    assert text.count("label end") == SHOWN_CASES
    assert "... and 2 more: --out FILE and --json FILE have them all" in text
    assert "words *0* | [red]" in text
    assert "No wrong case" not in text


def test_the_page_has_all_wrong_cases_and_words_that_are_no_markdown() -> None:
    page = markdown(report([], [side(*[FALSE] * (SHOWN_CASES + 2))]))
    assert page.count("**c") == SHOWN_CASES + 2
    assert "caller: words \\*0\\* \\| \\[red]" in page
    assert "| stop | 8 | 0 | 0-32 | 8 | 0 |" in page


def test_a_side_without_a_mistake_says_so() -> None:
    assert "No wrong case of desk (a-model)." in report([], [side(("ended", "end"))])
