"""The extras of ``pip install "lastword[...]"``, and one sentence for whoever lacks one."""

from __future__ import annotations

from importlib.util import find_spec
from types import MappingProxyType

from lastword.errors import MissingExtra

EXTRAS = MappingProxyType(
    {
        "deepgram": ("livekit.plugins.deepgram",),
        "cartesia": ("livekit.plugins.cartesia",),
        "openai": ("langchain_openai", "livekit.plugins.openai"),
        "sqlite": ("aiosqlite", "langgraph.checkpoint.sqlite"),
        "postgres": ("psycopg", "psycopg_pool", "langgraph.checkpoint.postgres"),
        "offline": ("espeakng_loader", "pocketsphinx", "soundfile"),
        "testing": ("prompt_toolkit", "time_machine"),
    }
)
"""The modules that Lastword imports from each extra; from ``studio`` and the bundles none."""


def needs(what: str, *extras: str) -> None:
    """Check that extras are installed; call it before their modules are imported.

    Args:
        what: the command, setting or option that needs them, as the user knows it.
        extras: keys of ``EXTRAS``.

    Raises:
        MissingExtra: a module of one of them is not installed.
    """
    missing = [extra for extra in extras if not all(map(_is_installed, EXTRAS[extra]))]
    if missing:
        raise MissingExtra(what, missing)


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even the package around it
        return False
