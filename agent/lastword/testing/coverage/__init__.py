"""Which nodes, edges and endings of a graph were taken, and which were not."""

from lastword.testing.coverage.coverage import Coverage, EndingCount
from lastword.testing.coverage.declared import declared_endings
from lastword.testing.coverage.pages import write_reports
from lastword.testing.coverage.shape import Edge, GraphShape, shape_of
from lastword.testing.coverage.table import coverage_table
from lastword.testing.coverage.taken import Taken
from lastword.testing.coverage.ways import WayRecorder

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
