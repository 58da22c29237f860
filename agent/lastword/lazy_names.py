"""Import the public names of a package from their modules on first use."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from typing import Any


def lazy_names(
    package: str, sources: Mapping[str, str], submodules: Collection[str] = ()
) -> Callable[[str], Any]:
    """Create the ``__getattr__`` of a module (PEP 562).

    Args:
        package: name of the module.
        sources: for each public name, the module that defines it.
        submodules: the public modules of the package, which are imported on first use too.
    """

    def load(name: str) -> Any:
        if name in submodules:
            return import_module(f"{package}.{name}")
        if name not in sources:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(sources[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    return load
