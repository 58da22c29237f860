"""Read graphs without running them, and say what would go wrong in their calls."""

from lastword.tools.check.inspection import check_graphs
from lastword.tools.check.report import Finding, Place, Report

__all__ = ["Finding", "Place", "Report", "check_graphs"]
