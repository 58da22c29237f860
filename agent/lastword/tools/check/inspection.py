"""Check the graphs of a ``langgraph.json`` without running them or reading their source."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from pathlib import Path

from lastword.errors import BrokenGraph
from lastword.graphs_config import MAX_SIZE, CallGraph, check_graph, graph_specs, load_graph
from lastword.tools.check.findings import findings_about
from lastword.tools.check.graph_reading import read_graph, variable_line
from lastword.tools.check.ignored import Ignored, read_ignored
from lastword.tools.check.report import Finding, Place, Report
from lastword.tools.check.state_types import about_state
from lastword.untrusted.bounded_input import read_text


def check_graphs(config: Path, names: Collection[str] = ()) -> Report:
    """Check the graphs ``names`` of ``config``, or all of them.

    Modules are imported, as the worker imports them; no node, tool or model is called.

    Raises:
        GraphError: ``config`` is missing or is not a ``langgraph.json``.
        UnknownGraph: it has no graph of one of the names.
        SettingsError: the list of ignored findings in pyproject.toml is wrong.
    """
    specs = graph_specs(config)
    for name in names:
        check_graph(name, specs, config)
    wanted = list(dict.fromkeys(names)) or list(specs)
    check = _Check(config, read_ignored(config))
    findings = [one for name in wanted for one in check.graph(name, specs[name])]
    is_whole = set(wanted) == set(specs)
    notes = check.notes + (check.silence.unused(check.files) if is_whole else [])
    return Report(tuple(wanted), check.nodes, tuple(findings), tuple(notes), check.silenced)


class _Check:
    """A check of several graphs; collects the rest of the report beside the findings."""

    def __init__(self, config: Path, silence: Ignored) -> None:
        self.silence = silence
        self.notes: list[str] = []
        self.files: set[Path] = set()
        self.nodes = 0
        self.silenced = 0
        self._config = config

    def graph(self, name: str, spec: str) -> list[Finding]:
        """The findings about one graph that the project does not ignore."""
        try:
            loaded = load_graph(name, self._config)
        except BrokenGraph as error:
            place = Place(self._config.resolve(), _line_of(self._config, name))
            found = [Finding("does-not-load", name, error.why, place)]
        else:
            found = list(self._findings(loaded, spec))
        heard = [one for one in found if not self.silence.covers(one)]
        self.silenced += len(found) - len(heard)
        return heard

    def _findings(self, loaded: CallGraph, spec: str) -> Iterator[Finding]:
        module_name, _, variable = spec.partition(":")
        file = Path(str(sys.modules[module_name].__file__))
        reading = read_graph(loaded, variable_line(file, variable))
        self.files |= reading.files
        self.nodes += len(reading.nodes)
        for node in reading.unread:
            which = f"node `{'/'.join(node)}`" if node else "graph"
            self.notes.append(f"{loaded.name}: the {which} cannot be read, so it is not checked")
        yield from findings_about(reading)
        yield from about_state(reading, loaded.graph)


def _line_of(config: Path, name: str) -> int:
    lines = read_text(config, MAX_SIZE).splitlines()
    return next((at for at, line in enumerate(lines, 1) if f'"{name}"' in line), 1)
