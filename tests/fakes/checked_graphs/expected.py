"""The expected findings of a check in each of these graphs."""

from __future__ import annotations

NOTHING: list[tuple[str, str]] = []

FOUND: dict[str, list[tuple[str, str]]] = {
    "ways:by_node": NOTHING,
    "ways:no_ending": NOTHING,
    "ways:trapped": [("no-way-to-end", "check")],
    "ways:destinations": NOTHING,
    "ways:out_by_interrupt": NOTHING,
    "ways:never_there": [("unreachable-node", "end")],
    "ways:goes_on": [("end-node-goes-on", "end")],
    "ways:circle": [("end-node-goes-on", "end")],
    "ways:undeclared": [("undeclared-goto", "jump")],
    "ways:handed_over": [("undeclared-goto", "desk/ask")],
    "ways:union": [("undeclared-goto", "jump")],
    "ways:anywhere": NOTHING,
    "ways:lost": [("unreachable-node", "lost")],
    "ways:inside": NOTHING,
    "ways:inside_goes_on": [("no-ending", "")],
    "ways:inside_a_function": NOTHING,
    "silenced:by_comment": NOTHING,
    "ways:agent": [("unreachable-node", "agent")],
    "named:works_on": NOTHING,
    "named:no_such_nodes": [
        ("unknown-node-in-policy", ""),
        ("unknown-node-in-policy", ""),
    ],
    "words:in_words": [("end-token-in-words", "")],
    "states:bad": [
        ("state-not-serialisable", "lid"),
        ("state-not-serialisable", "line"),
        ("state-not-serialisable", "calls_back"),
    ],
}
"""Module and variable of each graph → its findings: code, and node or channel."""
