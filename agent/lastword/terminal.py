"""The only output path to a terminal: untrusted text cannot send control sequences to it.

Rich removes a few control characters from text, but neither ESC nor the others that
``lastword.untrusted.printable`` lists, and it reads ``[red]`` in any string as markup. A ruff rule
forbids ``rich.console.Console`` in other modules.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Callable, Iterable
from copy import copy
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType  # noqa: TID251 - the only place
from rich.segment import Segment
from rich.text import Text

from lastword.errors import LastwordError
from lastword.untrusted.printable import block, without_secrets


class SafeConsole(Console):
    """Rich's console for untrusted text, also in its recording for ``save_svg``.

    Strings are printed without markup, emoji codes or highlighting. Colours come from ``style`` and
    ``Text``. Unprintable characters are escaped as in ``lastword.untrusted.printable``. Characters
    that the terminal's encoding lacks are escaped too.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"markup": False, "emoji": False, "highlight": False, **options})

    def render_str(self, text: str, **options: Any) -> Text:
        """Convert a string to a ``Text``, escaped first, so that tables measure what is printed."""
        return super().render_str(self._printable(text), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render a renderable; all text that is printed or recorded passes through here."""
        for segment in super().render(renderable, options):
            if segment.control:  # made by rich itself, never from text
                yield segment
            else:
                yield segment._replace(text=self._printable(segment.text))

    def _printable(self, text: str) -> str:
        return block(text).encode(self.encoding, "backslashreplace").decode(self.encoding)


def print_error(text: object) -> None:
    """Print a command's error message to standard error."""
    SafeConsole(stderr=True).print(str(text), soft_wrap=True)


def print_safe_logs() -> None:
    """Make the log lines that Python prints by default safe for a terminal."""
    if logging.lastResort is not None:
        print_safely([logging.lastResort])


def run_command(run: Callable[[], object]) -> None:
    """Run a command; a ``LastwordError`` is printed as one sentence, with exit code 1.

    Raises:
        SystemExit: with 1 after an error, with 143 when the command was cancelled by SIGTERM.
    """
    print_safe_logs()
    try:
        run()
    except asyncio.CancelledError:
        raise SystemExit(143) from None
    except LastwordError as error:
        print_error(f"lastword: {error}")
        raise SystemExit(1) from None
    except Exception:  # noqa: BLE001 - a fault in Lastword; it may quote a caller
        print_error(without_secrets(traceback.format_exc().rstrip()))
        raise SystemExit(1) from None


class _PrintableFormatter(logging.Formatter):
    """Passes a record with printable fields and no secrets to another formatter."""

    def __init__(self, printer: logging.Formatter) -> None:
        super().__init__()
        self._printer = printer

    def format(self, record: logging.LogRecord) -> str:
        """Format a copy, because other handlers may need the original record."""
        shown = copy(record)
        shown.msg, shown.args = without_secrets(record.getMessage()), ()
        if record.exc_info and not record.exc_text:
            shown.exc_text = self.formatException(record.exc_info)
        shown.exc_text, shown.exc_info = without_secrets(shown.exc_text or "") or None, None
        shown.__dict__.update({name: _printable(value) for name, value in vars(shown).items()})
        return self._printer.format(shown)


def _printable(value: Any) -> Any:
    """The value of a log field with every string in it made printable, at any depth."""
    match value:
        case str():
            return value if value.isprintable() else block(value)
        case dict():
            return {_printable(name): _printable(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_printable(inner) for inner in value]
        case _:
            return value


def print_safely(handlers: Iterable[logging.Handler]) -> None:
    """Remove control characters and passwords from the records that the handlers print.

    LiveKit's formatters print all fields of a record. Call it after LiveKit has set its handlers,
    when the worker runs. The handlers keep their colours.
    """
    for handler in handlers:
        printer = handler.formatter or logging.Formatter()
        if not isinstance(printer, _PrintableFormatter):
            handler.setFormatter(_PrintableFormatter(printer))
