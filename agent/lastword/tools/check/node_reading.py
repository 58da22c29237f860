"""What a node does, read from its source and from the objects that it can reach."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MethodType

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.prompts import BasePromptTemplate
from langchain_core.runnables import Runnable
from langgraph.prebuilt import ToolNode
from langgraph.pregel.protocol import PregelProtocol
from langgraph.types import interrupt

from lastword import signals
from lastword.tools.check.chat_model_use import ChatModelUse, model_in, of_langchain
from lastword.tools.check.functions import Function, Missing, read_function, resolve
from lastword.tools.check.gotos import NOWHERE, Gotos, gotos
from lastword.tools.check.replies import Request, requests
from lastword.tools.check.report import Place
from lastword.tools.check.runnable_parts import parts, texts
from lastword.tools.check.syntax import live, used_values

DEPTH = 6
"""So many calls deep the functions of the project are followed."""
_ELEMENTS = 200
"""So many elements of a list or dictionary are looked at."""
_MESSAGES = "messages"


@dataclass(frozen=True)
class Text:
    """A text that a node can say or show to a model, and the function that has it."""

    value: str
    place: Place


@dataclass(frozen=True)
class NodeReading:
    """What is known of a node, or of a conditional edge.

    ``functions``: its own and those of the project that it calls, the node's first. ``requests``:
    those to chat models, but for a ``ToolNode``, whose models are not heard. ``signals``:
    it sends the signal that ends the call. ``speaks``: it says something, asks a model for words,
    or writes messages. ``is_known`` is False when a part of it has no source to read.
    """

    functions: tuple[Function, ...] = ()
    requests: tuple[Request, ...] = ()
    texts: tuple[Text, ...] = ()
    gotos: Gotos = NOWHERE
    signals: bool = False
    speaks: bool = False
    is_known: bool = True

    @property
    def is_silent(self) -> bool:
        """Whether all models that it asks are silent; False when it asks none."""
        return bool(self.requests) and all(one.use.is_silent for one in self.requests)


@dataclass
class _Walk:
    """Follows what a node can reach."""

    functions: list[Function] = field(default_factory=list)
    uses: list[tuple[ChatModelUse, Place]] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)
    signals: bool = False
    speaks: bool = False
    is_known: bool = True
    _seen: set[int] = field(default_factory=set)
    _kept: list[object] = field(default_factory=list)
    """What ``_seen`` has the ids of, so that no id is given to another object."""

    def follow(self, value: object, place: Place, depth: int = DEPTH) -> None:
        """Take in an object that the node names."""
        if depth < 0 or isinstance(value, Missing | PregelProtocol) or self._was_seen(value):
            return
        self.signals = self.signals or value is signals.end_call
        self.speaks = self.speaks or value is signals.say or value is interrupt
        match value:
            case str():
                self._text(value, place)
            case BaseMessage() | BasePromptTemplate():
                for text in texts(value):
                    self._text(text, place)
            case Mapping() | list() | tuple() | set() | frozenset():
                several = value.values() if isinstance(value, Mapping) else value
                for one in list(several)[:_ELEMENTS]:
                    self.follow(one, place, depth - 1)
            case MethodType(__self__=Runnable() as owner):
                self.follow(owner, place, depth - 1)
            case Runnable():
                for part in parts(value):
                    self.follow(part, place, depth - 1)
            case _:
                self._call(value, depth)

    def _was_seen(self, value: object) -> bool:
        if isinstance(value, str):
            return False
        if id(value) in self._seen:
            return True
        self._seen.add(id(value))
        self._kept.append(value)
        return False

    def _text(self, text: str, place: Place) -> None:
        self.texts.append(Text(text, place))
        self.signals = self.signals or text == "lastword.end_call"
        self.speaks = self.speaks or text == "lastword.say"

    def _call(self, value: object, depth: int) -> None:
        is_function = callable(value) and not isinstance(value, type)
        function = read_function(value) if is_function else None
        if function is None or function.code in {one.code for one in self.functions}:
            return
        if function.is_own and function.tree is not None:
            self._own(function, depth)

    def _own(self, function: Function, depth: int) -> None:
        self.functions.append(function)
        for node in live(function):
            self.speaks = self.speaks or _writes_messages(node, function)
        for expression, value in used_values(function):
            self.follow(value, Place(function.place.file, expression.lineno), depth - 1)

    def installed(self, function: Function, place: Place, depth: int = DEPTH) -> None:
        """A function of a package, such as the model node of LangChain's agents.

        Its own words are nobody's business; what the project has put into it is.
        """
        for value in function.cells.values():
            found = model_in(value) if isinstance(value, Runnable) else None
            inner = None if found or isinstance(value, Runnable | type) else read_function(value)
            if isinstance(value, BaseMessage | BasePromptTemplate | str):
                self.follow(value, place)
            if found is not None:
                self.uses.append((found, place))
                self.speaks = True
                self._prompts(value, place)
            elif type(value) is of_langchain("agents.structured_output", "ProviderStrategy"):
                self.uses.append((ChatModelUse(output="json"), place))
            elif inner is not None and inner.is_own:
                self.follow(value, place)
            elif inner is not None and depth > 0:
                self.installed(inner, place, depth - 1)

    def _prompts(self, value: object, place: Place) -> None:
        """The prompts in front of a model."""
        for part in parts(value) if isinstance(value, Runnable) else ():
            self.follow(part, place)


def _writes_messages(node: ast.AST, function: Function) -> bool:
    """Whether something is put under the name ``messages``, or an AI message is made."""
    match node:
        case ast.Dict(keys=keys):
            return any(_is_messages(one) for one in keys)
        case ast.Assign(targets=[ast.Subscript(slice=key)]):
            return _is_messages(key)
        case ast.Call(func=func, keywords=keywords):
            made = resolve(func, function)
            is_message = isinstance(made, type) and issubclass(made, AIMessage)
            return is_message or any(one.arg == _MESSAGES for one in keywords)
        case _:
            return False


def _is_messages(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Constant) and node.value == _MESSAGES


def read_node(value: object, place: Place, *, is_router: bool = False) -> NodeReading:
    """Read a node, or the path of a conditional edge when ``is_router``.

    Args:
        value: what was handed to ``add_node`` or ``add_conditional_edges``.
        place: where the graph is, for what has no place of its own.
        is_router: what it returns is where to go, and never a message.
    """
    walk = _Walk()
    roots = [value] if callable(value) and not isinstance(value, Runnable) else parts(value)
    for root in roots:
        function = None if isinstance(root, Runnable) else read_function(root)
        if function is not None and not function.is_own and function.tree is not None:
            walk.installed(function, place)
        elif not isinstance(root, Runnable):
            walk.is_known = walk.is_known and function is not None and function.tree is not None
        walk.follow(root, place)
    asked = [*requests(walk.functions, is_router=is_router)]
    asked += [Request(use, at, is_for_caller=not is_router) for use, at in walk.uses]
    return NodeReading(
        functions=tuple(walk.functions),
        requests=() if isinstance(value, ToolNode) else tuple(asked),
        texts=tuple(walk.texts),
        gotos=gotos(walk.functions),
        signals=walk.signals,
        speaks=walk.speaks or any(not one.use.is_silent for one in asked),
        is_known=walk.is_known,
    )
