"""The help and the errors of every command: readable names of values, and examples that fit a terminal."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn, TypeVar

import typer
from typer.core import TyperCommand

from .terminal import plain_errors

_Function = TypeVar("_Function", bound=Callable[..., Any])

#: Name of an option's value in the help, by the option's name in Python; TEXT for all others.
_VALUES = {
    **dict.fromkeys(("out", "data", "work", "root", "bundle", "resume_from"), "FOLDER"),
    **dict.fromkeys(("image", "labels", "subregions", "disc_points", "python"), "FILE"),
    **dict.fromkeys(
        ("accepted_by", "contrast", "convention", "device", "editor", "layout", "name", "only", "organization", "paper",
         "patient", "write_convention"),
        "NAME",
    ),
    "field": "NAME=TEXT",
}  # fmt: skip
#: Width of the examples without their indent in the help.
_WIDTH = 76


class Command(TyperCommand):
    """A command whose help names values in capitals, and which refuses empty values."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for param in self.params:
            if param.metavar is None and param.name and not getattr(param, "is_flag", False):
                is_argument = param.param_type_name == "argument"
                param.metavar = param.name.upper() if is_argument else _VALUES.get(param.name, "TEXT")

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the parts of the usage line: optional arguments in brackets, repeated ones with an ellipsis."""
        found = [param for param in self.params if param.param_type_name == "argument"]
        return ["[OPTIONS]", *(_shown(param) if param.required else f"[{_shown(param)}]" for param in found)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the lists of arguments and options."""
        rows: dict[str, list[tuple[str, str]]] = {"argument": [], "option": []}
        for param in self.get_params(ctx):
            kind = param.param_type_name
            if record := param.get_help_record(ctx):
                rows[kind].append((_shown(param), record[1]) if kind == "argument" else record)
        for kind, heading in (("argument", "Arguments"), ("option", "Options")):
            if rows[kind]:
                with formatter.section(heading):
                    formatter.write_dl(rows[kind])

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line.

        :raises typer.BadParameter: a value is empty, for example an unset variable of a script.
        """
        if not ctx.resilient_parsing:  # completion in a shell passes an empty word
            for before, word in zip(["", *args], args, strict=False):
                option, given, value = word.partition("=") if word.startswith("--") else (before, "=", word)
                if given and not value.strip():
                    hint = f"'{option}'" if option.startswith("-") else None
                    raise typer.BadParameter("the value is empty.", ctx, param_hint=hint)
        return super().parse_args(ctx, args)


def _shown(argument: Any) -> str:
    return f"{argument.metavar}{'' if argument.nargs == 1 else '...'}"


class Commands(typer.Typer):
    """A group of `Command` objects."""

    def command(self, *args: Any, **kwargs: Any) -> Callable[[_Function], _Function]:
        """Register a command, as `typer.Typer.command` does."""
        return super().command(*args, cls=Command, **kwargs)


class App(Commands):
    """The program. Every command ends with an exit code and at most one sentence about an error."""

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        for stream in (sys.stdout, sys.stderr):
            with suppress(AttributeError):
                stream.reconfigure(errors="replace")  # type: ignore[union-attr]
        with plain_errors():
            code = typer.main.get_command(self)(*args, standalone_mode=False, **kwargs)
        sys.exit(code or 0)


def group(text: str) -> typer.Typer:
    """Return a group of commands that shows its help if no command follows."""

    def help_if_alone(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            typer.echo(context.get_help())
            raise typer.Exit(2)

    return Commands(callback=help_if_alone, invoke_without_command=True, help=text, rich_markup_mode=None)


def examples(*calls: str) -> str:
    """Return the epilog of a command's help, one line per call; long lines continue on the next, as in a shell."""
    return "\n".join(["\b", "Examples:", *(line for call in calls for line in _lines(f"spinemeasure {call}"))])


def _lines(call: str) -> list[str]:
    """Break a call before its options."""
    lines = [""]
    for part in re.split(r" (?=-)", call):
        if lines[-1] and len(lines[-1]) + 1 + len(part) > _WIDTH - len(" \\"):
            lines.append(f"    {part}")
        else:
            lines[-1] = f"{lines[-1]} {part}" if lines[-1] else part
    return [f"  {line}{'' if line is lines[-1] else ' ' + chr(92)}" for line in lines]
