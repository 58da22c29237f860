"""The meaning of everyday phrases by ordered patterns, for the offline chat model.

The input comes from speech recognition: no capitals, no punctuation, some wrong words. If the
patterns disagree, the answer is "unclear": the agent asks again, because a guess could write a
wrong record.
"""

from __future__ import annotations

import re
from typing import Literal

Answer = Literal["yes", "no", "unclear"]

_SPELLINGS = (
    (r"\bcan ?not\b|\bcan'?t\b", "can not"),
    (r"\bwo n'?t\b|\bwon't\b", "will not"),
    (r"\b(do|does|did|is|are|was|have|has|had|would|could|should)n'?t\b", r"\1 not"),
    (r"\bi'?m\b", "i am"),
    (r"\b(i|you|he|she|it|we|they|that|there)'ll\b", r"\1 will"),
    (r"\b(i|you|we|they)'ve\b", r"\1 have"),
    (r"\b(i|you|he|she|we|they)'d\b", r"\1 would"),
    (r"\b(it|that|there|he|she|what|who|here|when|where|let)'s\b", r"\1 is"),
    (r"\b(it|that|there|he|she|what|who|here|when|where) s\b", r"\1 is"),
    (r"\b(that|it)s\b", r"\1 is"),
    (r"\byou'?re\b", "you are"),
    (r"\ball right\b", "alright"),
    (r"\bgood ?by[e]?\b|\bbye ?bye\b", "goodbye"),
    (r"\bre schedule\b", "reschedule"),
    (r"\bnext weeks?\b", "next week"),
)
# Filler sounds, and polite words around a plain answer.
_PADDING = re.compile(r"\b(?:uh+|um+|er+m?|ah+|oh|hm+|like|please|well|actually|you know)\b")
# The "no" or "not" in these phrases is not a refusal.
_HARMLESS = re.compile(
    r"\b(?:no|not a) (?:problem|worries|trouble)(?: at all)?\b|\bno doubt\b|\bwhy not\b"
    r"|\bno that is (?:fine|okay|good|alright|great|perfect)\b"
)
_YES = re.compile(
    r"\b(?:yes|yeah|yep|yup|yea|(?<!make )(?<!am )sure|of course|certainly|absolutely|definitely"
    r"|indeed|correct|exactly|that is (?:right|fine|good|great|perfect|me|okay)|speaking"
    r"|sounds (?:good|fine|great|okay)|(?:works?|fine|good) (?:for|with) me|that works"
    r"|i (?:will|can|shall) (?:be there|come|make it|be coming|do)|i am coming|i confirm"
    r"|confirmed|go ahead|do (?:it|that|so)|(?:i will|i can|i do|it is)$|this is (?:she|he|her|him)"
    r"|talking to (?:her|him|me)|see you then|(?:is|are) fine|no problem)\b"
)
_WEAK_YES = re.compile(r"^(?:(?:okay|ok|alright|right|fine|good)(?: thanks?| thank you)?)$")
_NO = re.compile(r"\b(?:no|nope|nah|not|never|neither|none|nothing|do not|rather not)\b")
_DOUBT = re.compile(
    r"\b(?:but|maybe|perhaps|possibly|probably|might|not (?:quite |really )?sure|i (?:do )?not know"
    r"|not decided|depends|i guess|i think so|think about|let (?:me|us) (?:think|see|check)"
    r"|have to (?:ask|check|think|look)|need to (?:ask|check|think|look)|what happens"
    r"|if|hope|try|whether|unless|except|until|wait|yet)\b"
)
_REPEAT = re.compile(
    r"\b(?:say (?:that|it) (?:again|once more)|again please|repeat|pardon|come again|once more"
    r"|what did you say|(?:did|could|can|do) not (?:quite |really )?(?:hear|catch|get|understand)"
    r"|sorry what|speak up|louder)\b|^(?:what|sorry|excuse me|what was that)$"
)
_GOODBYE = re.compile(
    r"\b(?:goodbye|see you|have a (?:good|nice|great) (?:day|one|evening|weekend)|so long|farewell)"
    r"\b|\bbye$|^bye\b"
)
# "Goodbye to high prices" and "bye the way" are not goodbyes.
_NO_LEAVE = re.compile(r"\b(?:good)?bye (?:to|the way|party|present|card|letter)\b")
_DONE = re.compile(
    r"\b(?:that is (?:all|it|everything)|that will be all|that was (?:all|it|everything)"
    r"|nothing (?:else|more)|no more questions|i am (?:all set|done|good)|all set)\b"
)


def normalise(text: str) -> str:
    """Lower case, no punctuation, short forms written out, one space between words.

    Example:
        >>> normalise("Yes, I can't!")
        'yes i can not'
    """
    text = text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    text = " ".join(re.sub(r"[^a-z0-9':]+", " ", text).split())
    for pattern, replacement in _SPELLINGS:
        text = re.sub(pattern, replacement, text)
    return text


def plain(text: str) -> str:
    """Return the normalised text without padding such as "um" and "please"."""
    return " ".join(_PADDING.sub(" ", normalise(text)).split())


def yes_or_no(text: str) -> Answer:
    """Understand the answer to a yes-or-no question.

    A bare "okay" or "thanks" is unclear on purpose: people say it while they listen. An answer
    with a doubt or a condition is also unclear, and so is one with both a yes and a no.
    """
    words = plain(text)
    harmless = bool(_HARMLESS.search(words))
    words = " ".join(_HARMLESS.sub(" ", words).split())
    if _DOUBT.search(words):
        return "unclear"
    if re.search(r"\b(?:of course|certainly|absolutely|definitely|sure) not\b", words):
        return "no"
    yes, no = bool(_YES.search(words)), bool(_NO.search(words))
    if yes and no:
        return "unclear"
    if no:
        return "no"
    if _is_question(words):
        return "unclear"
    return "yes" if yes or (harmless and not _WEAK_YES.match(words)) else "unclear"


def asks_to_repeat(text: str) -> bool:
    """Return True for "pardon?" and "could you say that again"."""
    return bool(_REPEAT.search(normalise(text)))


def says_goodbye(text: str) -> bool:
    """Return True for a goodbye; "thanks" and "okay" are not goodbyes."""
    return bool(_GOODBYE.search(_NO_LEAVE.sub(" ", plain(text))))


def is_done(text: str) -> bool:
    """Return True if the text contains "that's all" or the like."""
    return bool(_DONE.search(plain(text)))


def _is_question(words: str) -> bool:
    """Return True if the caller asks a question, which does not answer the agent's question."""
    return bool(
        re.match(
            r"(?:should|shall|is|are|can|could|may|do|does|did|will|would|what|when|where|who|why|how)"
            r" (?:i|you|we|it|that|there|he|she|the|this|my|much|many|long|far)\b",
            words,
        )
    )
