"""Where the nodes of a picture are: in columns from left to right, by layers (pure).

The method is Sugiyama's: break cycles, put every node one column behind its last predecessor,
sort the columns by the mean place of their neighbours, then straighten.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

Link = tuple[str, str]
Point = tuple[float, float]
Size = tuple[float, float]

_SWEEPS = 12
_COLUMN_GAP = 110.0
_ROW_GAP = 16.0
_THROUGH = (0.0, 8.0)
"""Size of the place that a long link needs in a column that it only passes."""


@dataclass(frozen=True)
class Layout:
    """Centres of the nodes, in pixels from the upper left corner; y grows downwards.

    ``bends``: where a long link passes the columns between its ends, from left to right.
    ``back`` are the links that go against the direction.
    """

    places: Mapping[str, Point]
    bends: Mapping[Link, Sequence[Point]]
    back: frozenset[Link]
    width: float
    height: float


def layout(sizes: Mapping[str, Size], links: Sequence[Link]) -> Layout:
    """Place nodes of the given sizes (width, height); the first ones become the roots."""
    back, order = _back_links(list(sizes), links)
    columns = _columns(order, [link for link in links if link not in back])
    all_sizes = dict(sizes)
    chains = _chains(links, back, columns, all_sizes)
    neighbours = _neighbours(chains)
    rows = _rows(columns, neighbours)
    heights = _heights(rows, neighbours, all_sizes)
    across, width = _across(rows, all_sizes)
    lowest = min(heights[name] - all_sizes[name][1] / 2 for name in heights)
    places = {name: (across[columns[name]][0], heights[name] - lowest) for name in columns}
    bends: dict[Link, list[Point]] = {}
    for link, chain in chains.items():
        bends[link] = []
        for name in chain[1:-1]:
            middle, half = across[columns[name]]
            bends[link] += [(middle - half, places[name][1]), (middle + half, places[name][1])]
    height = max(places[name][1] + all_sizes[name][1] / 2 for name in places)
    return Layout({name: places[name] for name in sizes}, bends, frozenset(back), width, height)


def _back_links(names: Sequence[str], links: Sequence[Link]) -> tuple[set[Link], list[str]]:
    """The links that close a cycle, and the nodes in an order in which the others go forward."""
    ways: defaultdict[str, list[str]] = defaultdict(list)
    for source, target in links:
        ways[source].append(target)
    back: set[Link] = set()
    open_nodes: set[str] = set()
    done: dict[str, None] = {}

    def visit(node: str) -> None:
        open_nodes.add(node)
        for target in ways[node]:
            if target in open_nodes:
                back.add((node, target))
            elif target not in done:
                visit(target)
        open_nodes.remove(node)
        done[node] = None

    for name in names:
        if name not in done:
            visit(name)
    return back, list(reversed(done))


def _columns(order: Sequence[str], forward: Sequence[Link]) -> dict[str, int]:
    columns = dict.fromkeys(order, 0)
    for node in order:
        for source, target in forward:
            if source == node:
                columns[target] = max(columns[target], columns[node] + 1)
    return columns


def _chains(
    links: Sequence[Link], back: set[Link], columns: dict[str, int], sizes: dict[str, Size]
) -> dict[Link, list[str]]:
    """Each link as a chain of neighbours; places to pass through are added where it is long."""
    chains = {}
    for link in links:
        source, target = reversed(link) if link in back else link
        chain = [source]
        for column in range(columns[source] + 1, columns[target]):
            name = f"{source}\n{target}\n{column}"
            while name in sizes:  # as the name of a node
                name += "\n"
            columns[name], sizes[name] = column, _THROUGH
            chain.append(name)
        chains[link] = [*chain, target]
    return chains


def _neighbours(chains: Mapping[Link, Sequence[str]]) -> dict[int, dict[str, list[str]]]:
    """-1: node → its neighbours in the column before; 1: in the column behind."""
    before: defaultdict[str, list[str]] = defaultdict(list)
    behind: defaultdict[str, list[str]] = defaultdict(list)
    for chain in chains.values():
        for left, right in pairwise(chain):
            behind[left].append(right)
            before[right].append(left)
    return {-1: before, 1: behind}


def _rows(
    columns: Mapping[str, int], neighbours: Mapping[int, Mapping[str, list[str]]]
) -> list[list[str]]:
    """The columns, each sorted so that few links cross."""
    rows: list[list[str]] = [[] for _ in range(max(columns.values()) + 1)]
    for name, column in columns.items():
        rows[column].append(name)
    for sweep in range(_SWEEPS):
        side = -1 if sweep % 2 == 0 else 1
        at = {name: place / len(row) for row in rows for place, name in enumerate(row)}
        for row in rows if side == -1 else reversed(rows):
            means = {
                name: _mean([at[each] for each in neighbours[side].get(name, ())], at[name])
                for name in row
            }
            row.sort(key=means.__getitem__)
            at.update((name, place / len(row)) for place, name in enumerate(row))
    return rows


def _heights(
    rows: Sequence[Sequence[str]],
    neighbours: Mapping[int, Mapping[str, list[str]]],
    sizes: Mapping[str, Size],
) -> dict[str, float]:
    """The y of every centre: near its neighbours, without touching the next one."""
    heights = {}
    for row in rows:
        heights.update(_spread(row, dict.fromkeys(row, 0.0), sizes))
    for sweep in range(_SWEEPS):
        side = -1 if sweep % 2 == 0 else 1
        for row in rows if side == -1 else reversed(rows):
            wanted = {
                name: _mean(
                    [heights[each] for each in neighbours[side].get(name, ())], heights[name]
                )
                for name in row
            }
            heights.update(_spread(row, wanted, sizes))
    return heights


def _spread(
    row: Sequence[str], wanted: Mapping[str, float], sizes: Mapping[str, Size]
) -> dict[str, float]:
    """The places nearest to the ``wanted`` ones that keep the order and the gaps.

    Neighbours that would touch become a block, which stands at the mean of what its members want
    (pool adjacent violators).
    """
    offsets, offset = [], 0.0
    for above, name in zip((None, *row), row, strict=False):
        if above is not None:
            offset += (sizes[above][1] + sizes[name][1]) / 2 + _ROW_GAP
        offsets.append(offset)
    blocks: list[tuple[float, int]] = []
    for name, shift in zip(row, offsets, strict=True):
        total, count = wanted[name] - shift, 1
        while blocks and blocks[-1][0] / blocks[-1][1] >= total / count:
            more = blocks.pop()
            total, count = total + more[0], count + more[1]
        blocks.append((total, count))
    bases = [total / count for total, count in blocks for _ in range(count)]
    return {name: base + shift for name, base, shift in zip(row, bases, offsets, strict=True)}


def _across(
    rows: Sequence[Sequence[str]], sizes: Mapping[str, Size]
) -> tuple[list[tuple[float, float]], float]:
    """For each column the x of its middle and half its width; and the width of all."""
    across, left = [], 0.0
    for row in rows:
        wide = max(sizes[name][0] for name in row)
        across.append((left + wide / 2, wide / 2))
        left += wide + _COLUMN_GAP
    return across, left - _COLUMN_GAP


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise
