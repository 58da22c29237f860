"""A report in the terminal, and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable
from rich.text import Text

from agent.evaluation.report import Block, Cases, Table

SHOWN_CASES = 6
"""So many cases of a list are shown in the terminal; the files have all."""
_FEW_COLUMNS = 3
"""A table of so few columns has sentences in its cells; one of more has numbers."""


def show(blocks: Sequence[Block], console: Console) -> None:
    """Print a report; long lists of cases are cut, and it is said."""
    for block in blocks:
        match block:
            case Table():
                _show_table(block, console)
            case Cases():
                _show_cases(block, console)
            case _:
                console.print(escape(block))


def markdown(blocks: Sequence[Block]) -> str:
    """The same as a Markdown page, with all cases."""
    return "\n\n".join(["# When does the graph hang up?", *map(_markdown, blocks)]) + "\n"


def _show_table(block: Table, console: Console) -> None:
    if block.title:
        console.print(f"\n[bold]{escape(block.title)}[/bold]")
    table = RichTable(box=box.SIMPLE_HEAD, pad_edge=False)
    is_wide = len(block.head) > _FEW_COLUMNS
    for number, name in enumerate(block.head):
        is_name = number == 0
        table.add_column(name, justify="right" if is_wide and not is_name else "left")
        table.columns[-1].no_wrap = is_name
    for row in block.rows:
        table.add_row(*map(escape, row))
    console.print(table)


def _show_cases(block: Cases, console: Console) -> None:
    console.print(f"\n[bold]{escape(block.title)}: {len(block.cases) or 'none'}[/bold]")
    for case in block.cases[:SHOWN_CASES]:
        console.print(Text(case.title))
        for who, words in case.lines:
            line = RichTable.grid(padding=(0, 1))
            line.add_column(width=13, justify="right", style="dim")
            line.add_column()
            line.add_row(Text(who), Text(words))
            console.print(line)
    if (more := len(block.cases) - SHOWN_CASES) > 0:
        console.print(f"... and {more} more: --out FILE and --json FILE have them all")


def _markdown(block: Block) -> str:
    match block:
        case Table():
            rows = [block.head, ("---",) * len(block.head), *block.rows]
            lines = [f"| {' | '.join(map(_cell, row))} |" for row in rows]
            title = [f"## {block.title}", ""] if block.title else []
            return "\n".join([*title, *lines])
        case Cases():
            parts = [f"## {block.title}: {len(block.cases) or 'none'}"]
            for case in block.cases:
                said = [
                    f"- {who}: {_cell(words)}" if who else f"- {words}" for who, words in case.lines
                ]
                parts.append("\n".join([f"**{_cell(case.title)}**", "", *said]))
            return "\n\n".join(parts)
        case _:
            return block


def _cell(text: str) -> str:
    """Text that is no Markdown."""
    for mark in "\\`*_<|[":
        text = text.replace(mark, f"\\{mark}")
    return text
