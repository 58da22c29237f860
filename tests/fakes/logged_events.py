"""The events in the log of a test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pytest
from livekit.agents.cli.log import JsonFormatter

from lastword.events import read_event


def logged_events(caplog: pytest.LogCaptureFixture, name: str) -> list[Mapping[str, Any]]:
    """Return the events named ``name``, parsed from the log lines that a worker would print."""
    lines = [JsonFormatter().format(record) for record in caplog.records]
    events = [cast("Mapping[str, Any]", event) for event in map(read_event, lines) if event]
    return [event for event in events if event["event"] == name]
