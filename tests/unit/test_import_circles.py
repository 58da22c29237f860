"""Files do not import each other in a circle, not even for the type checker."""

from __future__ import annotations

from graphlib import TopologicalSorter

import grimp


def test_no_files_of_the_package_import_each_other_in_a_circle() -> None:
    graph = grimp.build_graph("lastword", cache_dir=None)
    files = graph.modules
    imports = {file: graph.find_modules_directly_imported_by(file) & files for file in files}
    TopologicalSorter(imports).prepare()  # a circle is raised as graphlib.CycleError
