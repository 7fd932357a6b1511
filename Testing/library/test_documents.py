"""What the documents name exists: files, headings, functions, commands with their options, exit codes."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from SpineMeasureLib import errors
from SpineMeasureLib.cli import app

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "Testing/benchmarks/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
NAMES = [str(path.relative_to(ROOT)) for path in DOCUMENTS]


def links(path: Path) -> Iterator[tuple[str, str, str]]:
    """Text, file and heading of every link of a document within the repository."""
    for text, target in re.findall(r"\[([^\]]*)\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if "://" not in target:
            file, _, heading = target.partition("#")
            yield text, file, heading


def anchors(path: Path) -> set[str]:
    """Headings as links of a Markdown page name them."""
    heads = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name: str) -> None:
    path = ROOT / name
    for text, file, heading in links(path):
        target = (path.parent / file) if file else path
        assert target.exists(), f"{text}: {file}"
        assert not heading or heading in anchors(target), f"{text}: {file}#{heading}"


def names_in(path: Path) -> set[str]:
    """Functions and classes that a Python file defines."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return {node.name for node in nodes if isinstance(node, (ast.FunctionDef, ast.ClassDef))}


@pytest.mark.parametrize("name", NAMES)
def test_code_that_is_linked_is_in_that_file(name: str) -> None:
    path = ROOT / name
    linked = [(text.strip("`"), file) for text, file, _ in links(path) if file.endswith(".py") and text.startswith("`")]
    assert linked or name != "docs/tour.md"
    for text, file in linked:
        assert text in names_in(path.parent / file) or text.endswith(".py"), f"{text} in {file}"


@pytest.mark.parametrize("name", [name for name in NAMES if name != "docs/label-maps.md"])  # names other programs
def test_files_of_the_library_that_are_named_exist(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    places = [ROOT, ROOT / "SpineMeasureLib", ROOT / "SpineMeasureLib/train/synth", ROOT / "Testing/widget"]
    for span in re.findall(r"`([\w/.]+\.py|[\w/]+/)`", text):
        assert any((place / span).exists() for place in places), span


def commands(text: str) -> Iterator[list[str]]:
    """Every call of `spinemeasure` in a document, as words."""
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    blocks = "\n".join(re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)).replace("\\\n", " ")
    for line in [*spans, *blocks.splitlines()]:
        words = shlex.split(line.replace("'s", ""), comments=True) if "spinemeasure " in line else []
        if words and words[0].rpartition("/")[2] == "spinemeasure":
            yield words[1:]


@pytest.mark.parametrize("name", NAMES)
def test_commands_that_are_named_exist_with_their_options(name: str) -> None:
    for words in commands((ROOT / name).read_text(encoding="utf-8")):
        command = typer.main.get_command(app)
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]  # type: ignore[attr-defined]
        known = {flag for p in command.params for flag in (*p.opts, *p.secondary_opts)} | {"--help"}
        asked = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
        whole = not hasattr(command, "commands") or not [w for w in words if not w.startswith("-")]
        assert whole and asked <= known | {"--install-completion", "--show-completion"}, words


def test_every_target_of_make_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for path in DOCUMENTS:
        assert set(re.findall(r"(?:^|`)make ([\w-]+)", path.read_text(), re.MULTILINE)) <= targets, path.name


def test_the_list_of_exit_codes_is_complete() -> None:
    listed = re.findall(r"^\| (\d+) \|", (ROOT / "docs" / "errors.md").read_text(), re.MULTILINE)
    raised = {kind.exit_code for kind in vars(errors).values() if hasattr(kind, "exit_code")}
    assert sorted(map(int, listed)) == sorted(raised)


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) < 80
