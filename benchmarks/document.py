"""Generated parts of a Markdown document, between two marker comments with the part's name."""

from __future__ import annotations

from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parent.parent


ADAPTERS = PROJECT_ROOT / "docs" / "adapters.md"


def read_part(document: Path, name: str) -> str:
    """The text between ``<!-- name -->`` and ``<!-- /name -->``.

    Raises:
        ValueError: the document has no such part.
    """
    _, part, _ = _divided(document, name)
    return part


def write_part(document: Path, name: str, text: str) -> None:
    """Replace the text between the markers.

    Raises:
        ValueError: the document has no such part.
    """
    before, _, after = _divided(document, name)
    document.write_text(f"{before}{text}{after}")


def table(*rows: tuple[str, ...]) -> str:
    """A Markdown table; the first row is its header."""
    head, *rest = (f"| {' | '.join(cell.replace('|', '¦') for cell in row)} |" for row in rows)
    return "\n".join([head, "|" + " --- |" * len(rows[0]), *rest])


def _divided(document: Path, name: str) -> tuple[str, str, str]:
    begin, end = f"<!-- {name} -->\n", f"\n<!-- /{name} -->"
    before, _, rest = document.read_text().partition(begin)
    part, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"{document.name} has no part {name!r}")
    return before + begin, part, found + after
