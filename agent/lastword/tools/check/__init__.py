"""``lastword check``: find what would go wrong in calls, from a compiled graph and its policy."""

from lastword.tools.check.inspection import check_graphs
from lastword.tools.check.report import Finding, Place, Report

__all__ = ["Finding", "Place", "Report", "check_graphs"]
