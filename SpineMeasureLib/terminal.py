"""What every command of the terminal shares: plain lines and tables, a progress bar, every end in one sentence.

Rich and typer's error boxes are kept out of the way: a name with square brackets is printed as it is, and rich is
imported only when a table, a label or a progress bar is shown.
"""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

import typer

from .cancel import cancel_on_signals, stop_if_cancelled, true_end
from .cli_help import Commands
from .errors import CancelledError, as_plain, printable
from .progress import ESTIMATE, Progress

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

#: Base of typer's own errors about the command line, whichever click it brings.
_UsageError: Any = typer.BadParameter.__mro__[2]
#: What a shell reports of a program whose reader has gone.
_READER_GONE = 141


class Lines:
    """One of the two output streams. Text is printed as it is, one line a call: no markup, no colours, no wrapping.

    :ivar quiet: whether everything but errors is left out.
    """

    quiet = False

    def __init__(self, stderr: bool) -> None:
        self._stderr = stderr

    @property
    def _stream(self) -> TextIO:
        return sys.stderr if self._stderr else sys.stdout

    @cached_property
    def rich(self) -> Console:
        """The stream for tables and progress bars; text given to it is plain text too."""
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
            # 'head' has read enough. What is still buffered must not fail a second time at the end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
            raise SystemExit(_READER_GONE) from None


console = Lines(stderr=False)
errors = Lines(stderr=True)


def be_quiet(wanted: bool) -> bool:
    """Leave out everything but errors, if `wanted`."""
    console.quiet = errors.quiet = wanted
    return wanted


class App(Commands):
    """The program. However a command ends, it is with an exit code and at most one sentence about an error."""

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        for stream in (sys.stdout, sys.stderr):
            with suppress(AttributeError):
                stream.reconfigure(errors="replace")  # type: ignore[union-attr]
        with plain_errors():
            code = typer.main.get_command(self)(*args, standalone_mode=False, **kwargs)
        sys.exit(code or 0)


def group(text: str) -> typer.Typer:
    """A group of commands, whose help is shown when no command follows."""

    def help_if_alone(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            typer.echo(context.get_help())
            raise typer.Exit(2)

    return Commands(callback=help_if_alone, invoke_without_command=True, help=text, rich_markup_mode=None)


@contextmanager
def plain_errors() -> Iterator[None]:
    """End every error in a sentence and its exit code; the unexpected ones leave a log.

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
    told = f"Something unexpected went wrong ({type(error).__name__})."
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="spinemeasure-", suffix=".log", delete=False, encoding="utf-8", errors="replace"
        ) as log:
            traceback.print_exception(error, file=log)
    except OSError:
        return 1, told
    return 1, f"{told} Please report it with the details in {log.name}"


def _only_estimate(stage: str, fraction: float, message: str = "") -> None:
    stop_if_cancelled()
    if stage == ESTIMATE:
        errors.note(message)


@contextmanager
def terminal_progress() -> Iterator[Progress]:
    """A progress bar on standard error; nothing if that is not a terminal that can redraw a line."""
    if errors.quiet or not errors.rich.is_interactive:
        yield _only_estimate
        return
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar
    from rich.table import Column

    told = TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, ratio=1))
    with Bar(
        told, BarColumn(bar_width=24), TaskProgressColumn(), TimeElapsedColumn(),
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
