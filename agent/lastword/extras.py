"""The extras of ``pip install "lastword[...]"``, and the error when one is not installed."""

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
"""The modules that Lastword imports from each extra; ``studio`` and the bundles need no entry."""


def needs(what: str, *extras: str) -> None:
    """Check that extras are installed; call it before importing their modules.

    Args:
        what: the command, setting or option that needs them, as the user writes it.
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
    except ModuleNotFoundError:  # the parent package is missing
        return False
