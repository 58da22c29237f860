"""Writes coverage as files: a page with the pictures, Mermaid text, and JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from lastword.private_files import file_name
from lastword.testing.coverage.coverage import Coverage
from lastword.testing.coverage.table import remarks_on, shares
from lastword.untrusted.printable import one_line

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #222; background: #fff; margin: 2rem; }
table { border-collapse: collapse; } th, td { padding: .25rem 1.2rem .25rem 0; text-align: left; }
pre { background: #f6f6f6; padding: .8rem; overflow-x: auto; }
figure { margin: 1rem 0; overflow-x: auto; border: 1px solid #ddd; }
figure svg { max-width: 100%; height: auto; }
h2 { margin-top: 2.5rem; }
"""


def write_reports(folder: Path, coverages: Sequence[Coverage]) -> None:
    """Write ``<graph>.mmd``, ``<graph>.svg``, ``coverage.json`` and ``index.html``.

    ``folder`` is made if it is not there; files of these names in it are replaced. A graph's name
    that cannot be a file's is changed as ``file_name`` does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for each in coverages:
        file = file_name(each.shape.name)
        (folder / f"{file}.mmd").write_text(each.mermaid(), encoding="utf-8")
        (folder / f"{file}.svg").write_text(each.svg(), encoding="utf-8")
    data = {"graphs": [each.as_json() for each in coverages]}
    (folder / "coverage.json").write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    (folder / "index.html").write_text(_page(coverages), encoding="utf-8")


def _page(coverages: Sequence[Coverage]) -> str:
    rows = "\n".join(_row(each) for each in coverages)
    graphs = "\n".join(_section(each) for each in coverages)
    return (
        '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8">'
        f"<title>Graph coverage</title><style>{_STYLE}</style></head>\n<body>\n"
        "<h1>Graph coverage</h1>\n<table>\n"
        "<tr><th>graph</th><th>nodes</th><th>edges</th><th>endings</th></tr>\n"
        f"{rows}\n</table>\n{graphs}\n</body>\n</html>\n"
    )


def _row(coverage: Coverage) -> str:
    name = one_line(coverage.shape.name)
    cells = "".join(f"<td>{escape(share)}</td>" for share in shares(coverage).values())
    return f'<tr><td><a href="#{quote(name)}">{escape(name)}</a></td>{cells}</tr>'


def _section(coverage: Coverage) -> str:
    name = escape(one_line(coverage.shape.name))
    missing = "\n".join(line.removeprefix("  ") for line in remarks_on(coverage)[2:])
    text = f"<pre>{escape(missing)}</pre>" if missing else "<p>Everything was taken.</p>"
    return f'<h2 id="{name}">{name}</h2>\n<figure>{coverage.svg()}</figure>\n{text}'
