"""Generate the tables of docs/events.md from the types in ``lastword.events``.

``python -m tools.events_page`` prints the tables; ``--write`` writes them into the page.
"""

from __future__ import annotations

import argparse
import ast
import inspect
from collections.abc import Iterator
from typing import NamedTuple

from benchmarks.document import PROJECT_ROOT, table, write_part
from lastword import events
from lastword.terminal import SafeConsole

PAGE = PROJECT_ROOT / "docs" / "events.md"
_HEAD = ("event", "field", "type", "personal", "meaning")


class Field(NamedTuple):
    """A field of an event, as shown on the page."""

    name: str
    type: str
    is_personal: bool
    meaning: str


class EventType(NamedTuple):
    """An event type, as shown on the page; ``name`` is None for a base class of event types."""

    name: str | None
    meaning: str
    base: str
    own: list[Field]


def event_types() -> dict[str, EventType]:
    """The event types in ``lastword.events``, by class name, in the order of the source."""
    tree = ast.parse(inspect.getsource(events))
    aliases = {
        statement.targets[0].id: statement.value
        for statement in tree.body
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)
    }
    found: dict[str, EventType] = {}
    for node in tree.body:
        if not isinstance(node, ast.ClassDef) or not node.bases:
            continue
        own = list(_fields(node, aliases))
        name = next((one.type.strip('"') for one in own if one.name == "event"), None)
        base = ast.unparse(node.bases[0])
        meaning = _plain(ast.get_docstring(node) or "")
        found[node.name] = EventType(name, meaning, base, [f for f in own if f.name != "event"])
    return found


def tables() -> dict[str, str]:
    """The generated parts of the page: ``moment`` (common fields) and ``events`` (the others)."""
    types = event_types()
    everywhere = [*types["Moment"].own, *types["CallMoment"].own]
    rows: list[tuple[str, ...]] = []
    for one in types.values():
        if one.name is None:
            continue
        rows.append((f"`{one.name}`", "", "", "", one.meaning))
        inherited = types["Step"].own if one.base == "Step" else []
        rows += [("", *_row(field)) for field in (*inherited, *one.own)]
    return {
        "moment": table(_HEAD[1:], *map(_row, everywhere)),
        "events": table(_HEAD, *rows),
    }


def _fields(node: ast.ClassDef, aliases: dict[str, ast.expr]) -> Iterator[Field]:
    """The fields that a class declares; the string after a field describes it."""
    for statement, after in zip(node.body, [*node.body[1:], None], strict=True):
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        meaning = ""
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            meaning = str(after.value.value)
        kind = aliases.get(ast.unparse(statement.annotation), statement.annotation)
        is_personal = False
        match kind:
            case ast.Subscript(value=ast.Name(id="Personal"), slice=inner):
                kind, is_personal = inner, True
        yield Field(statement.target.id, _type(kind), is_personal, _plain(meaning))


def _type(kind: ast.expr) -> str:
    match kind:
        case ast.Subscript(value=ast.Name(id="Literal"), slice=ast.Tuple(elts=values)):
            return " or ".join(_type(value) for value in values)
        case ast.Subscript(value=ast.Name(id="Literal"), slice=value):
            return _type(value)
        case ast.Constant(value=str(text)):
            return f'"{text}"'
        case _:
            return ast.unparse(kind).replace(" | ", " or ")


def _row(field: Field) -> tuple[str, str, str, str]:
    return f"`{field.name}`", f"`{field.type}`", "yes" if field.is_personal else "", field.meaning


def _plain(text: str) -> str:
    return " ".join(text.split()).replace("``", "`")


def main() -> None:
    """Print or write the tables; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    console = SafeConsole(soft_wrap=True)
    for name, text in tables().items():
        console.print(text)
        if arguments.write:
            write_part(PAGE, name, text)


if __name__ == "__main__":
    main()
