"""What every command of the terminal shares: two consoles, a progress bar, errors in plain sentences."""

from __future__ import annotations

import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from .cancel import cancel_on_signals, stop_if_cancelled, true_end
from .errors import CancelledError, PlainError, printable
from .progress import Progress

errors = Console(stderr=True, highlight=False, soft_wrap=True)
console = Console(highlight=False)

Out = Annotated[Path, typer.Option("-o", "--out", help="Folder for the results.")]
Device = Annotated[str, typer.Option(help="auto, cuda, mps or cpu.")]


@contextmanager
def plain_errors() -> Iterator[None]:
    """End every error in a sentence and its exit code; the unexpected ones leave a log."""
    cancel_on_signals()
    try:
        yield
    except (typer.Exit, typer.Abort):
        raise
    except (Exception, CancelledError) as caught:
        error = true_end(caught)
        if isinstance(error, PlainError):
            errors.print(f"[red]Error:[/red] {error}")
            raise typer.Exit(error.exit_code) from None
        with tempfile.NamedTemporaryFile("w", prefix="spinemeasure-", suffix=".log", delete=False) as log:
            log.write(traceback.format_exc())
        errors.print(f"[red]Error:[/red] Something unexpected went wrong ({type(error).__name__}). Details: {log.name}")
        raise typer.Exit(1) from None


@contextmanager
def terminal_progress() -> Iterator[Progress]:
    """A progress bar on standard error."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Bar(*columns, console=errors, transient=True) as bar:
        task = bar.add_task("start", total=1.0)

        def show(stage: str, fraction: float, message: str = "") -> None:
            stop_if_cancelled()
            bar.update(task, completed=fraction, description=printable(f"{stage} {message}".strip()))

        yield show
