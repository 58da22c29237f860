"""The one way to a terminal: whatever is printed, only our own colours steer it.

Rich takes a few control characters out of text, but neither ESC nor the others that
``lastword.untrusted.printable`` names, and it reads ``[red]`` in any string as markup. ruff keeps
``rich.console.Console`` out of the other modules.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Callable, Iterable
from copy import copy
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType  # noqa: TID251 - the one place
from rich.segment import Segment
from rich.text import Text

from lastword.errors import LastwordError
from lastword.untrusted.printable import block, without_secrets


class SafeConsole(Console):
    """Rich's console for text of strangers, also in what it records for ``save_svg``.

    Strings are printed as they are: no markup, no emoji codes, no highlighting. Colours come from
    ``style`` and ``Text``. What cannot be printed is shown as ``lastword.untrusted.printable``
    shows it, and what the terminal's encoding lacks as an escape.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"markup": False, "emoji": False, "highlight": False, **options})

    def render_str(self, text: str, **options: Any) -> Text:
        """Make a string a text; here, so that a table measures what it will print."""
        return super().render_str(self._printable(text), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render anything; every text that is printed or recorded comes through here."""
        for segment in super().render(renderable, options):
            if segment.control:  # made by rich for its own purposes, never of text
                yield segment
            else:
                yield segment._replace(text=self._printable(segment.text))

    def _printable(self, text: str) -> str:
        return block(text).encode(self.encoding, "backslashreplace").decode(self.encoding)


def print_error(text: object) -> None:
    """Print a command's last words to standard error."""
    SafeConsole(stderr=True).print(str(text), soft_wrap=True)


def print_safe_logs() -> None:
    """Make what Python itself prints of the log of a command fit to be shown."""
    if logging.lastResort is not None:
        print_safely([logging.lastResort])


def run_command(run: Callable[[], object]) -> None:
    """Run a command; a mistake of the user's is one sentence and exit code 1.

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
    except Exception:  # noqa: BLE001 - a fault of ours; it may quote what a caller has said
        print_error(without_secrets(traceback.format_exc().rstrip()))
        raise SystemExit(1) from None


class _PrintableFormatter(logging.Formatter):
    """Lets another formatter print a record in which everything is fit to be shown."""

    def __init__(self, printer: logging.Formatter) -> None:
        super().__init__()
        self._printer = printer

    def format(self, record: logging.LogRecord) -> str:
        """Format a copy: other handlers may want the record as it is."""
        shown = copy(record)
        shown.msg, shown.args = without_secrets(record.getMessage()), ()
        if record.exc_info and not record.exc_text:
            shown.exc_text = self.formatException(record.exc_info)
        shown.exc_text, shown.exc_info = without_secrets(shown.exc_text or "") or None, None
        shown.__dict__.update({name: _printable(value) for name, value in vars(shown).items()})
        return self._printer.format(shown)


def _printable(value: Any) -> Any:
    """A value of a log field in which every text is printable, at any depth."""
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
    """Let records steer no terminal and tell no password: LiveKit's formatters print all they hold.

    Call it when LiveKit has set its handlers, which is when the worker runs. Their colours stay.
    """
    for handler in handlers:
        printer = handler.formatter or logging.Formatter()
        if not isinstance(printer, _PrintableFormatter):
            handler.setFormatter(_PrintableFormatter(printer))
