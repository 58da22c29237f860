"""The report is one Markdown page, which the terminal shows too."""

from __future__ import annotations

from io import StringIO
from itertools import pairwise

from markdown_it import MarkdownIt

from lastword.terminal import SafeConsole
from lastword.tools.evaluation.dataset import Case, Label, Line
from lastword.tools.evaluation.figures import Decision, Outcome, Side
from lastword.tools.evaluation.report import SHOWN_CASES, report, show


def decision(number: int, outcome: Outcome, label: Label, language: str = "") -> Decision:
    history = [Line(role="user", text=f"words *{number}* | [red]")]
    case = Case(id=f"c{number}", category="stop", history=history, label=label, language=language)
    return Decision(case, outcome, asked="And?", said="Well.", reason="done")


MISSED: tuple[Outcome, Label] = ("went_on", "end")
FALSE: tuple[Outcome, Label] = ("ended", "continue")
RIGHT: tuple[Outcome, Label] = ("ended", "end")


def side(*outcomes: tuple[Outcome, Label], language: str = "") -> Side:
    decisions = (decision(at, *one, language) for at, one in enumerate(outcomes))
    return Side("desk", "a-model", tuple(decisions))


def parts(page: str, kind: str) -> list[str]:
    """The text of the parts of a page that are of the same kind, such as "h2" or "td"."""
    tokens = MarkdownIt("commonmark").enable("table").parse(page)
    return [
        content.content
        for opening, content in pairwise(tokens)
        if opening.type.endswith("_open") and opening.tag == kind and content.type == "inline"
    ]


def shown(page: str) -> str:
    console = SafeConsole(file=StringIO(), width=100)
    show(page, console)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def test_the_main_table_has_shares_of_a_hundred_with_interval_and_counts() -> None:
    page = report(["head"], [side(RIGHT, FALSE)])
    assert page.startswith("# When does the graph hang up?\n\nhead\n\n| ")
    cells = parts(page, "td")
    main = dict(zip(cells[:18:2], cells[1:18:2], strict=True))
    assert main['precision of "end"'] == "50.0 % (9.5 to 90.5; 1 of 2)"
    assert main["false hang-ups per 100 continue"] == "100.0 (20.7 to 100.0; 1 of 1)"
    assert main["missed ones end"] == "-"


def test_ways_of_being_wrong_that_did_not_occur_have_no_column() -> None:
    alone = report([], [side(MISSED)]).splitlines()
    assert "| category | n | right | 95 % interval | false | missed |" in alone
    assert "| stop | 1 | 0 | 0-79 | 0 | 1 |" in alone
    failed = report([], [side(("failed", "end"))]).splitlines()
    assert "| category | n | right | 95 % interval | false | missed | failed |" in failed
    assert "| stop | 1 | 0 | 0-79 | 0 | 0 | 1 |" in failed


def test_languages_have_a_table_only_if_the_cases_have_languages() -> None:
    page = report([], [side(RIGHT, language="pt")])
    assert parts(page, "h2") == ["by category", "by language"]
    assert "| pt | 1 | 1 | 21-100 | 0 | 0 |" in page.splitlines()
    assert parts(report([], [side(RIGHT)]), "h2") == ["by category"]


def test_two_sides_stand_side_by_side_and_their_differences_are_to_be_read() -> None:
    page = report([], [side(RIGHT), side(MISSED)])
    assert parts(page, "th")[:3] == ["", "A: desk (a-model)", "B: desk (a-model)"]
    assert "| stop | 1 | 1 (21-100) | 0, 0 | 0 (0-79) | 0, 1 |" in page.splitlines()
    assert "\nOnly A is right in 1 cases, only B in 0; McNemar's exact test" in page
    differing = page[page.index("## cases on which A and B differ: 1") :]
    assert "- B went on: Well." in differing.splitlines()


def test_the_terminal_shows_the_first_wrong_cases_and_says_how_many_there_are() -> None:
    text = shown(report([], [side(*[MISSED] * (SHOWN_CASES + 2))], SHOWN_CASES))
    assert f"missed hang-ups of desk (a-model): {SHOWN_CASES + 2}" in text
    assert text.count("label end") == SHOWN_CASES
    assert "... and 2 more: --out FILE or --json FILE writes all of them" in text
    assert "words *0* | [red]" in text
    assert "No wrong case" not in text


def test_the_page_has_all_wrong_cases_and_words_that_are_no_markdown() -> None:
    page = report([], [side(*[FALSE] * (SHOWN_CASES + 2))])
    assert page.count("**c") == SHOWN_CASES + 2
    assert "- caller: words \\*0\\* \\| \\[red]" in page.splitlines()
    assert "| stop | 8 | 0 | 0-32 | 8 | 0 |" in page


def test_a_side_without_a_mistake_says_so() -> None:
    assert "No wrong case of desk (a-model)." in report([], [side(RIGHT)])
