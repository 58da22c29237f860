"""Graph coverage: the nodes, edges and endings of a graph that the tests took."""

from lastword.testing.coverage.coverage import Coverage, EndingCount
from lastword.testing.coverage.report import coverage_table, mermaid, write_reports
from lastword.testing.coverage.shape import Edge, GraphShape, declared_endings, shape_of
from lastword.testing.coverage.taken import Taken
from lastword.testing.coverage.tracer import EdgeTracer

__all__ = [
    "Coverage",
    "Edge",
    "EdgeTracer",
    "EndingCount",
    "GraphShape",
    "Taken",
    "coverage_table",
    "declared_endings",
    "mermaid",
    "shape_of",
    "write_reports",
]
