"""The terminal's picture of a call, made of the worker's journal and the caller's events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

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
    """Prints a call line by line; colours only where the console has them."""

    def __init__(self, console: SafeConsole) -> None:
        self._console = console
        self._zero: float | None = None
        self._delay: Mapping[str, float] = {}

    def caller(self, entry: Entry) -> None:
        """Show an event of the simulated caller."""
        match entry:
            case {"event": "joined"}:
                self._line(entry["t"], "line", "the caller has dialled in", "dim")
            case {"event": "line_started", "text": str(text)}:
                self._line(entry["t"], "caller", text, "green")
            case {"event": "disconnected", "reason": str(reason)}:
                self._line(entry["t"], "line", f"gone for the caller ({reason})", "dim")
            case _:
                pass

    def worker(self, entry: Entry) -> None:
        """Show an entry of the worker's call journal."""
        at = entry["at"]
        match entry["event"]:
            case "heard":
                self._delay = entry["metrics"]
                self._line(at, "", f"heard: {entry['lk.pii.words']}", "dim green")
            case "spoken":
                self._spoken(entry)
            case "happened":
                self._line(at, "line", entry["what"], "dim")
            case "call_event":
                self._line(at, "line", f"the graph hears: {_event(entry)}", "dim")
            case "ending":
                why = f"{entry['reason']} ({entry['source']})"
                self._line(at, entry["ended_by"], f"ends the call: {why}", "bold magenta")
            case "ending_cancelled":
                self._line(at, "caller", "spoke over the goodbye, the call goes on", "yellow")
            case "hanging_up":
                self._line(at, "line", f"hanging up, ended by {entry['ended_by']}", "dim")
            case "hang_up_failed":
                self._line(at, "line", "the line may still be up", "bold red")
            case _:
                pass

    def _spoken(self, entry: Entry) -> None:
        cut = " [cut off by the caller]" if entry["interrupted"] else ""
        began = entry["at"] - entry["seconds"]
        self._line(began, "agent", f"{entry['lk.pii.words']}{cut}", "cyan")
        times = {**self._delay, **entry["metrics"]}
        self._delay = {}
        way = " → ".join(entry["nodes"])
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


def _event(entry: Entry) -> str:
    """A call event in words."""
    match entry:
        case {"kind": "silence", "count": int(count), "of": int(of)}:
            return f"silence for {entry['seconds']:.0f} s ({count} of {of})"
        case {"kind": "keypad", "lk.pii.keys": str(keys)}:
            return f"keys: {keys}"
        case {"kind": "limit_near"}:
            return f"the call has to end in {entry['seconds_left']:.0f} s"
        case _:
            return str(entry.get("kind"))
