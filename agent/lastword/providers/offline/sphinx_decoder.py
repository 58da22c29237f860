"""The pocketsphinx decoder process.

pocketsphinx holds the interpreter lock (GIL) while it loads (0.5 s) and while it decodes (up to
0.7 s at a time), so in the agent's process it would interrupt the agent's voice. This file runs as
a script and imports nothing from the project. It exits when its standard input closes, so it cannot
outlive its parent process.

Input: ``<kind><length>`` (one byte, little-endian uint32), followed by ``length`` bytes of int16
samples at 16 kHz. Kind ``A`` adds audio. Kind ``E`` ends the utterance; the answer on standard
output is one line of text: the words in lower case, or an empty line.
"""

from __future__ import annotations

import contextlib
import re
import struct
import sys
from typing import Any, BinaryIO

HEADER = struct.Struct("<cI")
AUDIO = b"A"
END = b"E"
SAMPLE_RATE = 16_000

_PIECE = 2 * SAMPLE_RATE // 50
"""Bytes of 20 ms; pocketsphinx does not update its noise and level estimate on larger pieces."""

_FIRST_LEVELS = "54.3,13.4,4.6,24.8,-6.3,-0.9,12.6,0.7,-5.2,-3.3,5.1,4.0,-1.4"
"""Initial cepstral means (``-cmninit``), measured on two flite voices, slt and awb, after Opus.
With the model's own means, the first utterance of a third voice had 20 % word errors instead of 8.
Later utterances start from the means of the earlier ones."""

_NOT_WORDS = re.compile(r"<[^>]*>|\[[^\]]*\]|\+\+[^+]*\+\+|\(\d+\)")


def words_only(hypothesis: str) -> str:
    """Remove fillers (``<sil>``, ``[NOISE]``, ``++UH++``) and variant numbers (``the(2)``)."""
    return " ".join(_NOT_WORDS.sub(" ", hypothesis).lower().split())


class Utterances:
    """Decodes audio as it arrives; the level estimate carries over to the next utterance."""

    def __init__(self) -> None:
        from pocketsphinx import Decoder  # noqa: PLC0415 - the agent's process must not load it

        self._decoder: Any = Decoder(samprate=SAMPLE_RATE, loglevel="FATAL", cmninit=_FIRST_LEVELS)
        self._open = False

    def add(self, audio: bytes) -> None:
        """Decode more audio; the first audio opens an utterance."""
        if not self._open:
            self._decoder.start_utt()
            self._open = True
        for start in range(0, len(audio), _PIECE):
            self._decoder.process_raw(audio[start : start + _PIECE])

    def end(self) -> str:
        """Close the utterance and return its words."""
        if not self._open:
            return ""
        self._decoder.end_utt()
        self._open = False
        hypothesis = self._decoder.hyp()
        return words_only(hypothesis.hypstr) if hypothesis else ""


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer requests until ``source`` ends."""
    utterances = Utterances()
    while len(header := source.read(HEADER.size)) == HEADER.size:
        kind, length = HEADER.unpack(header)
        audio = source.read(length)
        if kind == AUDIO:
            utterances.add(audio)
        elif kind == END:
            sink.write(utterances.end().encode() + b"\n")
            sink.flush()


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):  # the parent process has exited
        serve(sys.stdin.buffer, sys.stdout.buffer)
