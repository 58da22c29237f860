"""A report as text in a terminal, and as JSON."""

from __future__ import annotations

import json
from itertools import groupby

from rich.text import Text

from lastword.terminal import SafeConsole
from lastword.tools.check.ignored import shown
from lastword.tools.check.report import KINDS, Finding, Report
from lastword.untrusted.printable import one_line


def show(report: Report, console: SafeConsole) -> None:
    """Print the findings by graph, then the notes and a summary line."""
    for graph, findings in groupby(report.findings, key=lambda one: one.graph):
        console.print(Text(one_line(graph), style="bold"))
        for finding in findings:
            for line in _lines(finding):
                console.print(line, soft_wrap=True)
            console.print()
    for note in report.notes:
        console.print(Text.assemble(("note: ", "yellow"), one_line(note)), soft_wrap=True)
    style = "red" if report.findings else "green"
    console.print(Text(summary(report), style=style), soft_wrap=True)


def _lines(finding: Finding) -> list[Text]:
    kind = KINDS[finding.code]
    where = one_line(f"{shown(finding.place.file)}:{finding.place.line}: ")
    what = one_line(f": {finding.subject}: {finding.what}")
    return [
        Text.assemble(where, (finding.code, "bold red"), what),
        Text(f"    {kind.why}"),
        Text(f"    {kind.mend}"),
        Text(f"    {one_line(silencing(finding))}", style="dim"),
    ]


def silencing(finding: Finding) -> str:
    """A sentence that tells how to silence this finding alone."""
    entry = f'ignore = ["{finding.ignored_by}"] under [tool.lastword.check] in pyproject.toml'
    if finding.place.file.suffix != ".py":
        return f"To silence it: {entry}."
    return f"To silence it: # lastword: ignore[{finding.code}] on that line, or {entry}."


def summary(report: Report) -> str:
    """The last line, such as "3 graphs, 12 nodes, no findings"."""
    silenced = f", {report.silenced} silenced" if report.silenced else ""
    findings = _count(len(report.findings), "finding")
    graphs, nodes = _count(len(report.graphs), "graph"), _count(report.nodes, "node")
    return f"{graphs}, {nodes}, {findings}{silenced}."


def _count(number: int, thing: str) -> str:
    return f"{number or 'no'} {thing}{'' if number == 1 else 's'}"


def as_json(report: Report) -> str:
    """The report as JSON text; a finding also has its kind's ``why`` and ``mend``."""
    findings = [
        {
            "code": one.code,
            "graph": one.graph,
            "node": one.node or None,
            "channel": one.channel or None,
            "file": shown(one.place.file),
            "line": one.place.line,
            "what": one.what,
            "why": KINDS[one.code].why,
            "mend": KINDS[one.code].mend,
            "ignore": one.ignored_by,
        }
        for one in report.findings
    ]
    content = {
        "graphs": report.graphs,
        "nodes": report.nodes,
        "findings": findings,
        "notes": report.notes,
        "silenced": report.silenced,
    }
    return json.dumps(content, indent=2)
