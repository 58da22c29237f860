"""Whether the caller would hear what is not meant for them, and whether words hang up."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lastword.tools.check.chat_model_use import OLD_TAG
from lastword.tools.check.endings import Subject
from lastword.tools.check.replies import Request
from lastword.tools.check.report import Finding

_MARKS = re.compile(r"[^\w\s.,!?'\u2019-]|_")
_OPENING = frozenset("\"'`\u201c\u2018\u00ab")
_CLOSING = frozenset("\"'`\u201d\u2019\u00bb")
_AROUND = 20
"""Letters of the excerpt on either side of the token."""


def about_spoken_routers(subject: Subject) -> Iterator[Finding]:
    """Findings ``may-be-spoken``: one for each node, and one for each of its conditional edges."""
    for node, reading in subject.reading.nodes.items():
        if not subject.is_silenced(node):
            what = next((one for one in map(_why_heard, reading.requests) if one), None)
            if what is not None:
                yield subject.finding("may-be-spoken", node, what)
    for node, branches in subject.reading.branches.items():
        for branch in branches if not subject.is_silenced(node) else ():
            what = next((one for one in map(_why_heard, branch.requests) if one), None)
            if what is not None:
                found = subject.finding("may-be-spoken", node, f"its conditional edge {what}")
                yield found.moved(branch.functions[0].place) if branch.functions else found


def _why_heard(request: Request) -> str | None:
    """How words that are not for the caller would be heard; None when they would not."""
    use = request.use
    if use.is_silent or use.output == "tool":
        return None
    old = f"; the tag {OLD_TAG!r} is not heeded any more" if OLD_TAG in use.tags else ""
    if use.output == "json":
        return (
            "asks a model for structured output: JSON is not spoken, but what the model writes"
            f" beside it is{old}"
        )
    if request.is_for_caller:
        return None
    return f"asks a model whose reply does not go into `messages`: the caller hears it{old}"


def about_end_token(subject: Subject) -> Iterator[Finding]:
    """The finding ``end-token-in-words``: at most one for each graph."""
    token = subject.policy.end_token
    if token is None or not can_be_said(token):
        return
    for node, reading in subject.reading.nodes.items():
        for text in reading.texts:
            excerpt = in_words(token, text.value)
            if excerpt is not None:
                what = f'the end token {token!r} is in its words: "{excerpt}"'
                yield subject.finding("end-token-in-words", node, what).moved(text.place)
                return


def can_be_said(token: str) -> bool:
    """Whether a token consists of what words are made of, so that speech may contain it."""
    return _MARKS.search(token) is None


def in_words(token: str, text: str) -> str | None:
    """An excerpt in which ``token`` is part of ordinary words; None when there is none.

    Not ordinary words: a text without a space (a name, a key), a token in quotes or backticks,
    and a whole word in capitals; so stand the instructions that tell a model to write the token.
    """
    if " " not in text.strip():
        return None
    for found in re.finditer(re.escape(token), text):
        before, after = text[: found.start()], text[found.end() :]
        quoted = before[-1:] in _OPENING and after[:1] in _CLOSING
        whole = not before[-1:].isalnum() and not after[:1].isalnum()
        if not quoted and not (whole and token.isupper()):
            return _excerpt(before, token, after)
    return None


def _excerpt(before: str, token: str, after: str) -> str:
    """The token with some whole words on either side."""
    left, right = before[-_AROUND:], after[:_AROUND]
    if len(before) > _AROUND:
        left = left.partition(" ")[2]
    if len(after) > _AROUND:
        right = right.rpartition(" ")[0]
    return " ".join(f"{left}{token}{right}".split())
