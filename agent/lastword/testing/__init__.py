"""Tools to test a project's own graphs: conversations, fakes and coverage.

The public names are here; ``docs/api.md`` describes them. A name is imported on first use, so
importing this package loads neither LiveKit nor LangGraph.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lastword.lazy_names import lazy_names

if TYPE_CHECKING:
    from lastword.graphs_config import CallGraph, load_graph
    from lastword.testing.checks import Fault
    from lastword.testing.conversation import Conversation, Conversations, Interruption
    from lastword.testing.coverage import (
        Coverage,
        EdgeTracer,
        coverage_table,
        shape_of,
        write_reports,
    )
    from lastword.testing.fakes.audio_output import FakeAudioOutput, FakeTextOutput, FakeTTS
    from lastword.testing.fakes.recording_events import RecordingEvents
    from lastword.testing.fakes.stt import FakeSTT
    from lastword.testing.forgotten_words import ForgottenWords
    from lastword.testing.replay import Manner, Played, Replayed, run_transcript
    from lastword.testing.reply import End, Reply, ToolUse
    from lastword.testing.transcripts.transcript import ModelAnswer, Transcript
    from lastword.testing.transcripts.transcript_file import read_transcript
    from lastword.testing.virtual_clock import VirtualClock

__all__ = [
    "CallGraph",
    "Conversation",
    "Conversations",
    "Coverage",
    "EdgeTracer",
    "End",
    "FakeAudioOutput",
    "FakeSTT",
    "FakeTTS",
    "FakeTextOutput",
    "Fault",
    "ForgottenWords",
    "Interruption",
    "Manner",
    "ModelAnswer",
    "Played",
    "RecordingEvents",
    "Replayed",
    "Reply",
    "ToolUse",
    "Transcript",
    "VirtualClock",
    "coverage_table",
    "load_graph",
    "read_transcript",
    "run_transcript",
    "shape_of",
    "write_reports",
]

if not TYPE_CHECKING:  # with it, a type checker would accept any name
    __getattr__ = lazy_names(
        __name__,
        {
            "CallGraph": "lastword.graphs_config",
            "Conversation": "lastword.testing.conversation",
            "Conversations": "lastword.testing.conversation",
            "Coverage": "lastword.testing.coverage",
            "End": "lastword.testing.reply",
            "FakeAudioOutput": "lastword.testing.fakes.audio_output",
            "FakeSTT": "lastword.testing.fakes.stt",
            "FakeTTS": "lastword.testing.fakes.audio_output",
            "FakeTextOutput": "lastword.testing.fakes.audio_output",
            "Fault": "lastword.testing.checks",
            "ForgottenWords": "lastword.testing.forgotten_words",
            "Interruption": "lastword.testing.conversation",
            "Manner": "lastword.testing.replay",
            "ModelAnswer": "lastword.testing.transcripts.transcript",
            "Played": "lastword.testing.replay",
            "RecordingEvents": "lastword.testing.fakes.recording_events",
            "Replayed": "lastword.testing.replay",
            "Reply": "lastword.testing.reply",
            "ToolUse": "lastword.testing.reply",
            "Transcript": "lastword.testing.transcripts.transcript",
            "EdgeTracer": "lastword.testing.coverage",
            "VirtualClock": "lastword.testing.virtual_clock",
            "coverage_table": "lastword.testing.coverage",
            "load_graph": "lastword.graphs_config",
            "read_transcript": "lastword.testing.transcripts.transcript_file",
            "run_transcript": "lastword.testing.replay",
            "shape_of": "lastword.testing.coverage",
            "write_reports": "lastword.testing.coverage",
        },
    )


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
