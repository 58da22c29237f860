"""A report in the terminal, and as Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich import box
from rich.table import Table as RichTable
from rich.text import Text

from lastword.terminal import SafeConsole
from lastword.tools.evaluation.report import Block, Cases, Table
from lastword.untrusted.printable import one_line

SHOWN_CASES = 6
"""So many cases of a list are shown in the terminal; the files have all."""
_MARKUP = re.compile(r"[\\`*_<>|\[&~#$]")
_FEW_COLUMNS = 3
"""A table of so few columns has sentences in its cells; one of more has numbers."""


def show(blocks: Sequence[Block], console: SafeConsole) -> None:
    """Print a report; long lists of cases are cut, and it is said."""
    for block in blocks:
        match block:
            case Table():
                _show_table(block, console)
            case Cases():
                _show_cases(block, console)
            case _:
                console.print(one_line(block))


def markdown(blocks: Sequence[Block]) -> str:
    """The same as a Markdown page, with all cases."""
    return "\n\n".join(["# When does the graph hang up?", *map(_markdown, blocks)]) + "\n"


def _show_table(block: Table, console: SafeConsole) -> None:
    if block.title:
        _print_title(block.title, console)
    table = RichTable(box=box.SIMPLE_HEAD, pad_edge=False)
    is_wide = len(block.head) > _FEW_COLUMNS
    for number, name in enumerate(block.head):
        is_name = number == 0
        table.add_column(one_line(name), justify="right" if is_wide and not is_name else "left")
        table.columns[-1].no_wrap = is_name
    for row in block.rows:
        table.add_row(*map(one_line, row))
    console.print(table)


def _show_cases(block: Cases, console: SafeConsole) -> None:
    _print_title(f"{block.title}: {len(block.cases) or 'none'}", console)
    for case in block.cases[:SHOWN_CASES]:
        console.print(Text(one_line(case.title)))
        for who, words in case.lines:
            line = RichTable.grid(padding=(0, 1))
            line.add_column(width=13, justify="right", style="dim")
            line.add_column()
            line.add_row(Text(one_line(who)), Text(one_line(words)))
            console.print(line)
    if (more := len(block.cases) - SHOWN_CASES) > 0:
        console.print(f"... and {more} more: --out FILE and --json FILE have them all")


def _print_title(title: str, console: SafeConsole) -> None:
    console.print()
    console.print(one_line(title), style="bold")


def _markdown(block: Block) -> str:
    match block:
        case Table():
            rows = [block.head, ("---",) * len(block.head), *block.rows]
            lines = [f"| {' | '.join(map(_cell, row))} |" for row in rows]
            title = [f"## {_cell(block.title)}", ""] if block.title else []
            return "\n".join([*title, *lines])
        case Cases():
            parts = [f"## {_cell(block.title)}: {len(block.cases) or 'none'}"]
            for case in block.cases:
                said = [
                    f"- {who}: {_cell(words)}" if who else f"- {_cell(words)}"
                    for who, words in case.lines
                ]
                parts.append("\n".join([f"**{_cell(case.title)}**", "", *said]))
            return "\n\n".join(parts)
        case _:
            return _cell(block)


def _cell(text: str) -> str:
    """Text on one line that is no Markdown, and no HTML in it."""
    return _MARKUP.sub(r"\\\g<0>", one_line(text))
