"""Shows a call in the terminal, from the call's events and the caller's reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from lastword.events import AgentSaid, Event, GraphTold
from lastword.terminal import SafeConsole
from lastword.untrusted.printable import block

Entry = Mapping[str, Any]

_LATENCIES = (
    ("transcription_delay", "heard"),
    ("llm_node_ttft", "graph"),
    ("tts_node_ttfb", "voice"),
    ("e2e_latency", "reply"),
)


class CallView:
    """Prints a call line by line, in colour if the console has colours."""

    def __init__(self, console: SafeConsole) -> None:
        self._console = console
        self._zero: float | None = None
        self._delay: Mapping[str, float] = {}

    def caller(self, entry: Entry) -> None:
        """Show an event that the simulated caller reported."""
        match entry:
            case {"event": "joined"}:
                self._line(entry["t"], "line", "the caller has dialled in", "dim")
            case {"event": "line_started", "text": str(text)}:
                self._line(entry["t"], "caller", text, "green")
            case {"event": "disconnected", "reason": str(reason)}:
                self._line(entry["t"], "line", f"gone for the caller ({reason})", "dim")
            case _:
                pass

    def line(self, at: float, what: str) -> None:
        """Show something else that happens in the call at the time ``at``, in seconds."""
        self._line(at, "line", what, "dim")

    def worker(self, event: Event) -> None:
        """Show an event of the call."""
        at = event["at"]
        match event["event"]:
            case "caller_said":
                self._delay = event["metrics"]
                self._line(at, "", f"heard: {event['words']}", "dim green")
            case "agent_said":
                self._agent_said(event)
            case "graph_told":
                self.line(at, f"the graph hears: {_told(event)}")
            case "ending":
                why = f"{event['reason']} ({event['source']})"
                self._line(at, event["ended_by"], f"ends the call: {why}", "bold magenta")
            case "ending_cancelled":
                self._line(at, "caller", "spoke over the goodbye, the call goes on", "yellow")
            case "hanging_up":
                self.line(at, f"hanging up, ended by {event['ended_by']}")
            case "hang_up_failed":
                self._line(at, "line", "the line may still be up", "bold red")
            case _:
                pass

    def _agent_said(self, said: AgentSaid) -> None:
        cut = " [cut off by the caller]" if said["interrupted"] else ""
        began = said["at"] - said["seconds"]
        self._line(began, "agent", f"{said['words']}{cut}", "cyan")
        times = {**self._delay, **said["metrics"]}
        self._delay = {}
        way = " → ".join(said["nodes"])
        latencies = " · ".join(
            f"{label} {times[name]:.2f}" for name, label in _LATENCIES if name in times
        )
        latencies = latencies and f"{latencies} s"
        self._line(began, "", "   ".join(part for part in (way, latencies) if part), "dim")

    def _line(self, at: float, who: str, what: str, style: str) -> None:
        if self._zero is None:
            self._zero = at
        row = Table.grid(padding=(0, 1))
        row.add_column(width=8, justify="right", style="dim")
        row.add_column(width=6, style=f"bold {style.rsplit(maxsplit=1)[-1]}")
        row.add_column(style=style)
        row.add_row(f"{at - self._zero:.1f} s" if who else "", who, Text(block(what)))
        self._console.print(row)


def _told(event: GraphTold) -> str:
    """The call event that the graph was told of, in words."""
    match event["told"]:
        case {"kind": "silence", "count": int(count), "of": int(of), "seconds": seconds}:
            return f"silence for {seconds:.0f} s ({count} of {of})"
        case {"kind": "keypad", "keys": str(keys)}:
            return f"keys: {keys}"
        case {"kind": "limit_near", "seconds_left": seconds}:
            return f"the call has to end in {seconds:.0f} s"
        case _:
            return event["kind"]
