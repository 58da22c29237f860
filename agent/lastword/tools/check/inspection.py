"""Check the graphs of a ``langgraph.json`` without running them."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from types import FunctionType

from langgraph.pregel import Pregel

from lastword.errors import BrokenGraph
from lastword.graphs_config import MAX_SIZE, CallGraph, check_graph, graph_specs, load_graph
from lastword.tools.check.add_node_lines import add_node_lines, variable_line
from lastword.tools.check.endings import Subject, about_endings
from lastword.tools.check.functions import is_own, read_function
from lastword.tools.check.graph_reading import GraphReading, read_graph
from lastword.tools.check.report import Finding, Place, Report
from lastword.tools.check.silence import Silence, read_silence
from lastword.tools.check.speech import about_end_token, about_spoken_routers
from lastword.tools.check.state_types import about_state
from lastword.tools.check.wiring import about_wiring
from lastword.untrusted.bounded_input import read_text


def check_graphs(config: Path, names: Collection[str] = ()) -> Report:
    """Read the graphs ``names`` of ``config``, or all of them, and report what is wrong.

    Modules are imported, as the worker imports them; no node, tool or model is called.

    Raises:
        GraphError: ``config`` is missing or no ``langgraph.json``.
        UnknownGraph: it has no graph of a name.
        SettingsError: the list of ignored findings in pyproject.toml is wrong.
    """
    specs = graph_specs(config)
    for name in names:
        check_graph(name, specs, config)
    wanted = list(dict.fromkeys(names)) or list(specs)
    check = _Check(config, read_silence(config))
    findings = [one for name in wanted for one in check.graph(name, specs[name])]
    is_whole = set(wanted) == set(specs)
    notes = check.notes + (check.silence.unused(check.files) if is_whole else [])
    return Report(tuple(wanted), check.nodes, tuple(findings), tuple(notes), check.silenced)


class _Check:
    """One check of several graphs; collects what the report has to say beside the findings."""

    def __init__(self, config: Path, silence: Silence) -> None:
        self.silence = silence
        self.notes: list[str] = []
        self.files: set[Path] = set()
        self.nodes = 0
        self.silenced = 0
        self._config = config

    def graph(self, name: str, spec: str) -> list[Finding]:
        """The findings about one graph that nobody has silenced."""
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
        graph = loaded.graph
        assert isinstance(graph, Pregel)  # noqa: S101 - only a URL makes it another
        module_name, _, variable = spec.partition(":")
        file = Path(str(sys.modules[module_name].__file__))
        reading = read_graph(graph, variable_line(file, variable))
        self._locate(reading, module_name, file)
        self.nodes += len(reading.nodes)
        for node in reading.unread:
            which = f"node `{'/'.join(node)}`" if node else "graph"
            self.notes.append(f"{loaded.name}: the {which} cannot be read, so it is not checked")
        subject = Subject(loaded.name, reading, loaded.policy)
        if () not in reading.unread:
            yield from about_endings(subject)
        yield from about_spoken_routers(subject)
        yield from about_end_token(subject)
        yield from about_state(subject, graph)
        yield from about_wiring(subject)

    def _locate(self, reading: GraphReading, module_name: str, file: Path) -> None:
        """Find the lines where the graph's nodes are added, and the files of the project."""
        functions = [
            read_function(one)
            for one in vars(sys.modules[module_name]).values()
            if isinstance(one, FunctionType)
        ]
        builders = {one.place.file for one in functions if one is not None and one.is_own}
        read = {one.place.file for node in reading.nodes.values() for one in node.functions}
        names = {node[0] for node in reading.nodes if len(node) == 1}
        found = add_node_lines(sorted({file, *builders, *read}), names)
        reading.added.update({(name,): place for name, place in found.items()})
        self.files |= {one for one in {file, *builders, *read} if is_own(str(one))}


def _line_of(config: Path, name: str) -> int:
    lines = read_text(config, MAX_SIZE).splitlines()
    return next((at for at, line in enumerate(lines, 1) if f'"{name}"' in line), 1)
