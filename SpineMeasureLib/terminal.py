"""Output of every command in the terminal: plain lines and tables, a progress bar, and errors in one sentence.

There is no markup, so a name with square brackets is printed unchanged. Rich is imported only for tables, labels and
progress bars.
"""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, TextIO

import typer

from .cancel import cancel_on_signals, stop_if_cancelled, true_end
from .errors import CancelledError, as_plain, printable
from .progress import ESTIMATE, Progress

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

#: Base of typer's own errors about the command line, from whichever click it uses.
_UsageError: Any = typer.BadParameter.__mro__[2]
#: Exit code that a shell reports of a program whose reader has ended.
_READER_GONE = 141


class Lines:
    """One of the two output streams. Prints one line of unchanged text per call: no markup, no colours, no wrapping.

    :ivar quiet: whether to print only errors.
    """

    quiet = False

    def __init__(self, stderr: bool) -> None:
        self._stderr = stderr

    @property
    def _stream(self) -> TextIO:
        return sys.stderr if self._stderr else sys.stdout

    @cached_property
    def rich(self) -> Console:
        """The stream for tables and progress bars, without markup either."""
        from rich.console import Console

        return Console(stderr=self._stderr, markup=False, highlight=False, emoji=False)

    def print(self, text: str) -> None:
        """Print one line."""
        if not self.quiet:
            self._write(lambda: print(printable(text), file=self._stream, flush=True))

    def show(self, table: Table) -> None:
        """Print a table."""
        if not self.quiet:
            self._write(lambda: self.rich.print(table))

    def note(self, text: str, label: str = "Note:") -> None:
        """Print a remark that the user should see."""
        if not self.quiet:
            self._labelled(label, "yellow", text)

    def error(self, text: str) -> None:
        """Print an error, also when quiet."""
        self._labelled("Error:", "red", text)

    def _labelled(self, label: str, style: str, text: str) -> None:
        from rich.text import Text

        line = Text.assemble((label, style), " ", printable(text))
        self._write(lambda: self.rich.print(line, soft_wrap=True))

    def _write(self, write: Any) -> None:
        try:
            write()
        except BrokenPipeError:
            # For example 'head' has ended. The rest of the buffer must not fail again at the end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
            raise SystemExit(_READER_GONE) from None


console = Lines(stderr=False)
errors = Lines(stderr=True)


def be_quiet(wanted: bool) -> bool:
    """Print only errors, if `wanted`."""
    console.quiet = errors.quiet = wanted
    return wanted


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn every error into one sentence and an exit code; unexpected errors leave a log.

    :raises SystemExit: on every error.
    """
    cancel_on_signals()
    try:
        yield
    except (Exception, CancelledError) as caught:
        error = true_end(caught)
        code, sentence = _usage(error) or _plain(error) or _unexpected(error)
        errors.error(sentence)
        raise SystemExit(code) from None


def _usage(error: BaseException) -> tuple[int, str] | None:
    if not isinstance(error, _UsageError):
        return None
    message = " ".join(error.format_message().split())
    context = getattr(error, "ctx", None)
    hint = f" Try '{context.command_path} --help'." if context else " Try the command with --help."
    end = "" if message.endswith((".", "?")) else "."
    return error.exit_code, f"{message}{end}{hint}"


def _plain(error: BaseException) -> tuple[int, str] | None:
    if isinstance(error, typer.Abort):
        error = CancelledError("The work was cancelled.")
    plain = as_plain(error)
    return (plain.exit_code, str(plain)) if plain else None


def _unexpected(error: BaseException) -> tuple[int, str]:
    text = f"Something unexpected went wrong ({type(error).__name__})."
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="spinemeasure-", suffix=".log", delete=False, encoding="utf-8", errors="replace"
        ) as log:
            traceback.print_exception(error, file=log)
    except OSError:
        return 1, text
    return 1, f"{text} Please report it with the details in {log.name}"


def _only_estimate(stage: str, fraction: float, message: str = "") -> None:
    stop_if_cancelled()
    if stage == ESTIMATE:
        errors.note(message)


@contextmanager
def terminal_progress() -> Iterator[Progress]:
    """Show a progress bar on standard error, or nothing if it is not a terminal that can redraw a line."""
    if errors.quiet or not errors.rich.is_interactive:
        yield _only_estimate
        return
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar
    from rich.table import Column

    stage_column = TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, ratio=1))
    with Bar(
        stage_column, BarColumn(bar_width=24), TaskProgressColumn(), TimeElapsedColumn(),
        console=errors.rich, transient=True, expand=True,
    ) as bar:  # fmt: skip
        task = bar.add_task("start", total=1.0)

        def show(stage: str, fraction: float, message: str = "") -> None:
            stop_if_cancelled()
            if stage == ESTIMATE:
                errors.note(message)
                return
            bar.update(task, completed=fraction, description=printable(f"{stage} {message}".strip()))

        yield show
