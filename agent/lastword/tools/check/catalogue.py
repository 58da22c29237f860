"""Every kind of finding: why it matters, and how to mend it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """A kind of finding; both are one sentence."""

    why: str
    mend: str


KINDS: Mapping[str, Kind] = {
    "does-not-load": Kind(
        "The worker does not start while one of its graphs does not load.",
        "Mend what the message says; the other graphs were checked all the same.",
    ),
    "no-ending": Kind(
        "The graph never hangs up: only the caller, silence or the time limit end its calls.",
        "Reach a node named as CallPolicy(end_node=...), let the model write the end token, or call"
        " lastword.signals.end_call() in a node or tool.",
    ),
    "no-way-to-end": Kind(
        "A call that gets there can be ended by the caller or by a limit only.",
        "Give it a way out, to an ending or to END, after which the next turn begins at START.",
    ),
    "end-node-goes-on": Kind(
        "The call is over at the end node: the caller does not hear what is said behind it.",
        "Lead the end node to END only, or let what comes behind it do silent work only.",
    ),
    "may-be-spoken": Kind(
        "What a model streams is spoken to the caller, whatever the node does with it.",
        'Tag the model: model.with_config(tags=["nostream"]), or name the node in'
        " CallPolicy(silent_nodes=...).",
    ),
    "end-token-in-words": Kind(
        "The end token is found anywhere in what is spoken, inside longer words too, and ends the"
        " call there.",
        "Choose a token that nobody says, such as <end>, in CallPolicy(end_token=...).",
    ),
    "state-not-serialisable": Kind(
        "The state is kept by a checkpointer between the turns of a call.",
        "Use a TypedDict, or a model, dataclass or enum at the top of its module.",
    ),
    "undeclared-goto": Kind(
        "LangGraph draws no edge for it: the picture in Studio is wrong, and so are tools that"
        " read the graph.",
        "Say where the node goes: -> Command[Literal[...]], or add_node(..., destinations=(...)).",
    ),
    "unreachable-node": Kind(
        "No caller ever gets there.",
        "Add the missing edge, or take the node out.",
    ),
    "unknown-node-in-policy": Kind(
        "A name that no node has does nothing: what was to be silent is spoken, or what was to end"
        " the call does not.",
        "Write the name as it is in add_node; an inner graph's node goes by its own name alone.",
    ),
}
