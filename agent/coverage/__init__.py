"""Which nodes, edges and endings of a graph were taken, and which were not."""

from agent.coverage.coverage import Coverage, EndingCount
from agent.coverage.declared import declared_endings
from agent.coverage.pages import write_reports
from agent.coverage.shape import Edge, GraphShape, shape_of
from agent.coverage.table import coverage_table
from agent.coverage.taken import Taken
from agent.coverage.ways import WayRecorder

__all__ = [
    "Coverage",
    "Edge",
    "EndingCount",
    "GraphShape",
    "Taken",
    "WayRecorder",
    "coverage_table",
    "declared_endings",
    "shape_of",
    "write_reports",
]
