"""The terminal as users meet it: any name, any width, any value of an option, at most one sentence about an error."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import typer

from SpineMeasureLib import __version__
from SpineMeasureLib.cli import app
from SpineMeasureLib.errors import printable
from SpineMeasureLib.terminal import console, errors

ROOT = Path(__file__).resolve().parents[2]
CALL = [sys.executable, "-m", "SpineMeasureLib.cli"]


def spinemeasure(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """A call with its output piped."""
    command = [*CALL, *map(str, arguments)]
    env = {**os.environ, "PYTHONIOENCODING": "utf-8", **environment}
    return subprocess.run(command, capture_output=True, text=True, check=False, encoding="utf-8", env=env)


def called(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """A call in this process: the same command line, output and exit code, without a second of starting Python."""
    words, out, err = list(map(str, arguments)), io.StringIO(), io.StringIO()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        with (
            patch.dict(os.environ, environment),
            patch.object(console, "quiet", False),
            patch.object(errors, "quiet", False),
            redirect_stdout(out),
            redirect_stderr(err),
            pytest.raises(SystemExit) as end,
        ):
            app(words, prog_name="spinemeasure")
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return subprocess.CompletedProcess(words, int(end.value.code or 0), out.getvalue(), err.getvalue())


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command of the program and how it is called."""
    if not hasattr(command, "commands"):
        yield path, command
        return
    for name, below in command.commands.items():
        yield from commands(below, (*path, name))


COMMANDS = dict(commands(typer.main.get_command(app)))


def test_help_loads_no_large_library() -> None:
    code = (
        "import sys; from SpineMeasureLib.cli import app\n"
        "try: app(['--help'])\n"
        "except SystemExit as end: assert not end.code\n"
        "print([m for m in ('numpy', 'scipy', 'SimpleITK', 'torch', 'rich', 'pydicom') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "Segment and measure an image." in done.stdout


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_shows_examples_that_it_understands(path: tuple[str, ...]) -> None:
    epilog = COMMANDS[path].epilog.strip("\b\n")
    head, *calls = epilog.replace(" \\\n", " ").splitlines()
    assert head == "Examples:" and calls
    for call in calls:
        program, *words = shlex.split(call)
        assert program == "spinemeasure" and tuple(words[: len(path)]) == path
        with patch.dict(os.environ), patch.object(console, "quiet", False), patch.object(errors, "quiet", False):
            COMMANDS[path].make_context("spinemeasure", words[len(path) :])
    done = called(*path, "--help", COLUMNS="80")
    assert done.returncode == 0 and epilog.splitlines()[1].strip() in done.stdout and not done.stderr


def test_one_thing_has_one_name_in_every_command() -> None:
    texts: dict[str, set[str]] = {}
    for command in COMMANDS.values():
        for option in command.params:
            if option.param_type_name == "option":
                texts.setdefault(option.opts[-1], set()).add(str(option.help))
    assert not {"--source", "--dataset"} & set(texts)
    for name in ("--out", "--image", "--series", "--device", "--bundle", "--threads", "--quiet", "--lowest-disc"):
        several = {"--out": 4, "--series": 2}.get(name, 1)
        assert 1 <= len(texts[name]) <= several, (name, texts[name])


BAD = [
    ("measure {image} -o {out} --device tpu", 2, "'tpu' is not one of auto, cuda, mps, cpu"),
    ("measure {image} -o {out} --convention mine", 2, "'mine' is not one of auto, own, "),
    ("measure {image} -o {out} --threads -1", 2, "'-1' must be from 0 to 1024"),
    ("train synthesize --data {out} -o {out} --seed -1", 2, "'-1' must be 0 or more"),
    ("measure {image} -o {out} --threads 99999", 2, "'99999' must be from 0 to 1024"),
    ("measure {image} -o {out} --lowest-disc ''", 2, "'--lowest-disc': the value is empty"),
    ("measure {image} -o {out} --lowest-disc=", 2, "'--lowest-disc': the value is empty"),
    ("measure {image} -o ''", 2, "'-o': the value is empty"),
    ("measure '' -o {out}", 2, "the value is empty"),
    ("segment {image} -o {out} --series ' '", 2, "'--series': the value is empty"),
    ("dicom fetch https://127.0.0.1:9 --study ''", 2, "'--study': the value is empty"),
    ("export training {out} --image {image} --data {out} --name ''", 2, "'--name': the value is empty"),
    ("review {out} --quiet --no-browser", 2, "needs the printed address"),
    ("measure {image} -o {out} --threads two", 2, "'two' is not a whole number"),
    ("measure {image} -o {out} --bundle {out}", 30, "has no metadata.json"),
    ("measure {image} -o {out} --lowest-disc [/b]", 34, "'[/b]' is not a valid disc level"),
    ("measure {image} --quiet -o {out} --labels {out}/none.nii", 10, "There is no file"),
    ("measure {image}", 2, "Missing option '-o' / '--out'"),
    ("measure", 2, "Missing argument"),
    ("measure {image} -o {out} --nonsense", 2, "No such option"),
    ("nonsense", 2, "No such command 'nonsense'"),
    ("[/b]", 2, "No such command '[/b]'"),
    ("segment {image} -o {out} --series", 2, "--series"),
    ("info {out}", 10, "There is no file"),
    ("export report {out} --image {image} --paper a5", 2, "'a5' is not one of a4, letter"),
    ("export report {out} --image {image} --field Patient", 2, "'Patient' is not NAME=TEXT"),
    ("export training {out} --image {image} --data {out} --format zip", 2, "'zip' is not one of nnunet, bids"),
    ("export training {out} --image {image} --data {out} --contrast X", 2, "'X' is not one of T1w"),
    ("export dicom {out} --source {image}", 10, "There is no labels.json"),
    ("review {out} --port 70000", 2, "'70000' must be from 0 to 65535"),
    ("review {out} --port http", 2, "'http' is not a whole number"),
    ("train segmentation --data {out} --work {out} --minutes nan", 2, "'nan' must be 0 or more"),
    ("train segmentation --data {out} --work {out} --minutes inf", 2, "'inf' must be 0 or more"),
    ("train segmentation --data {out} --work {out} --blend 2", 2, "'2' must be from 0.05 to 1"),
    ("train segmentation --data {out} --work {out} --folds 1", 2, "'1' must be 2 or more"),
    ("train segmentation --data {out}", 2, "needs a folder for its checkpoints"),
    ("train synthesize --data {out} -o {out} --count 0", 2, "'0' must be 1 or more"),
    ("dicom fetch https://127.0.0.1:9", 2, "Give --study, --accession or --patient-id."),
    ("dicom push https://127.0.0.1:9 {out} --retries -1", 2, "'-1' must be from 0 to 20"),
    ("dicom list {out}", 10, "There is no file"),
    ("evaluate {out} {out} -o {out}", 10, "There is no folder"),
]


@pytest.mark.parametrize(("call", "code", "words"), BAD, ids=[call for call, _, _ in BAD])
def test_every_bad_value_ends_in_one_sentence_and_its_code(
    call: str, code: int, words: str, sample_folder: Path, tmp_path: Path
) -> None:
    places = {"image": sample_folder / "lumbar_t2.nii.gz", "out": tmp_path / "out"}
    done = called(*(word.format(**places) for word in shlex.split(call)))
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr
    assert done.stderr.startswith("Error: ") and done.stderr.endswith(".\n")
    assert done.stderr.count("\n") == 1
    assert code != 2 or re.search(r"Try .* --help'?\.$", done.stderr)
    assert not (tmp_path / "out").exists()


def test_a_group_alone_shows_its_help() -> None:
    for path in ([], ["export"], ["train"], ["dicom"]):
        done = called(*path)
        assert done.returncode == 2
        assert "Commands:" in done.stdout + done.stderr and "Error" not in done.stderr


#: "[" / "b]" is shown as "[/b]", which ends a style of rich.
NAME = "scan[t1] [bold]x[red] M\u00fcller \u4e2d\u6587 \U0001f600 two\nlines \x1b[2J %s {0} :smile:"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_names_are_printed_as_they_are(sample_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / NAME / "[" / "b]"
    folder.mkdir(parents=True)
    image, labels, out = folder / f"{NAME}.nii.gz", folder / "labels[1].nii.gz", folder / f"out{NAME}"
    shutil.copy(sample_folder / "lumbar_t2.nii.gz", image)
    shutil.copy(sample_folder / "lumbar_t2_labels.nii.gz", labels)
    done = spinemeasure("segment", folder / f"no{NAME}.nii", "-o", tmp_path / "out")
    told = f"Error: There is no file or folder no{printable(NAME)}.nii. Check the path.\n"
    assert (done.returncode, done.stderr) == (10, told)
    note = f"Note: {printable(image.name)} is not DICOM; the choice of a series (3) was ignored."
    done = spinemeasure("measure", image, "-o", out, "--labels", labels, "--series", "3")
    assert done.returncode == 0 and done.stderr.splitlines().count(note) == 1, done.stderr
    assert f" files in {printable(str(out))}: labels.json" in done.stdout
    done = spinemeasure("export", "report", out, "--image", image, "--series", "3")
    assert (done.returncode, done.stdout) == (0, f"report.html, report.txt in {printable(str(out))}\n")
    assert done.stderr.splitlines() == [note]
    done = spinemeasure("evaluate", folder, folder, "-o", folder / "o")
    assert done.returncode == 10
    assert done.stderr.startswith(f"Error: {printable(str(folder))} does not contain a case. ")


def test_control_characters_do_not_reach_the_terminal() -> None:
    assert printable("a\x1b[2J\nb\u202ec\u2028d\x7f\x9b") == "a\\x1b[2J\\nb\\u202ec\\u2028d\\x7f\\x9b"
    assert (
        printable("M\udcfcller \u00e9\u4e2d\U0001f468\u200d\u2695\ufe0f")
        == "M?ller \u00e9\u4e2d\U0001f468\u200d\u2695\ufe0f"
    )


def test_tables_progress_and_notes_take_text_as_it_is(capfd: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    from SpineMeasureLib.cli_tables import plain_table
    from SpineMeasureLib.terminal import Lines

    text = "[/b] [bold]x[/bold] :smile: 1.5"
    lines = Lines(stderr=False)
    lines.show(plain_table((text,), [(text,)]))
    lines.note(text)
    lines.error(text)
    assert capfd.readouterr().out.count(text) == 4
    terminal = Lines(stderr=True)
    monkeypatch.setattr("SpineMeasureLib.terminal.errors", terminal)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(type(terminal.rich), "is_interactive", True, raising=False)
    from SpineMeasureLib.terminal import terminal_progress

    with terminal_progress() as progress:
        progress("read", 0.5, text)
    assert f"read {text}" in capfd.readouterr().err


def test_quiet_prints_nothing_but_errors(sample_folder: Path, tmp_path: Path) -> None:
    labels = sample_folder / "lumbar_t2_labels.nii.gz"
    call = ("measure", sample_folder / "lumbar_t2.nii.gz", "-o", tmp_path / "o", "--labels", labels, "--quiet")
    done = spinemeasure(*call, "--threads", "1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "o" / "measurements.csv").exists()
    assert spinemeasure("measure", "nowhere", "-o", tmp_path / "p", "-q").stderr.startswith("Error: ")


def test_threads_are_limited_before_libraries_load() -> None:
    code = (
        "import os, sys; sys.argv = ['x', 'info']\n"
        "from SpineMeasureLib.threads import limit_threads; limit_threads(1)\n"
        "import numpy, SimpleITK\n"
        "print(SimpleITK.ProcessObject.GetGlobalDefaultNumberOfThreads(), os.environ['OMP_NUM_THREADS'])\n"
        "import torch; print(torch.get_num_threads())"
    )
    pytest.importorskip("torch")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "1", "1"]


@pytest.mark.parametrize("columns", ["40", "80", "200"])
def test_definitions_fit_the_terminal(columns: str) -> None:
    done = called("methods", COLUMNS=columns)
    assert done.returncode == 0
    assert max(map(len, done.stdout.splitlines())) <= max(int(columns), 60)
    assert "    length of the chord" in done.stdout


def test_the_shell_completes_commands_options_and_values() -> None:
    def completed(words: str) -> list[str]:
        env = {"_SPINEMEASURE_COMPLETE": "complete_bash", "COMP_WORDS": f"spinemeasure {words}"}
        env["COMP_CWORD"] = str(len(f"spinemeasure {words}".split(" ")) - 1)
        code = "from SpineMeasureLib.cli import app; app(prog_name='spinemeasure')"
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **env})
        return done.stdout.split()

    assert completed("mea") == ["measure"]
    assert completed("export ") == ["tables", "dicom", "report", "training"]
    assert "--lowest-disc" in completed("measure --lo")
    assert completed("measure --device c") == ["cuda", "cpu"]
    assert "totalspineseg" in completed("measure --convention total")


def test_an_unexpected_error_leaves_a_log_and_one_sentence(tmp_path: Path) -> None:
    code = (
        "import SpineMeasureLib.export.runinfo as r\n"
        "def versions(): raise KeyError('[/b]')\n"
        "r.versions = versions\n"
        "from SpineMeasureLib.cli import app; app(['info'])"
    )
    command, env = [sys.executable, "-c", code], {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]
    assert line.startswith("Error: Something unexpected went wrong (KeyError). Please report it with the details in ")
    assert "KeyError: '[/b]'" in Path(line.rpartition(" in ")[2]).read_text()
    assert "Traceback" not in done.stderr


def test_a_reader_that_goes_away_is_no_error() -> None:
    code = f"import subprocess, sys; p = subprocess.Popen({[*CALL, 'methods']!r}, stdout=subprocess.PIPE, stderr=2)"
    code += "; p.stdout.close(); sys.exit(p.wait())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (141, "")


def test_output_that_a_terminal_cannot_show_is_replaced(tmp_path: Path) -> None:
    done = spinemeasure("info", tmp_path / "\u4e2d.nii", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (10, "Error: There is no file or folder ?.nii. Check the path.\n")


def test_json_lines_keep_the_exit_code(tmp_path: Path) -> None:
    done = spinemeasure("measure", "nowhere[1].nii", "-o", tmp_path / "o", "--json-progress")
    last = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == last["error"]["exit_code"] == 10
    assert "nowhere[1].nii" in last["error"]["message"] and not done.stderr


def test_the_version_is_that_of_package_citation_and_changelog() -> None:
    assert spinemeasure("--version").stdout == f"{__version__}\n"
    citation = (ROOT / "CITATION.cff").read_text()
    assert re.search(r"^version: (.*)$", citation, re.MULTILINE).group(1) == __version__  # type: ignore[union-attr]
    releases = re.findall(r"^## \[(.*?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert releases[0] == "Unreleased" and (".dev" in __version__ or __version__ == releases[1])


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_names_values_in_words_and_fits_80_columns(path: tuple[str, ...]) -> None:
    shown = called(*path, "--help", COLUMNS="80").stdout
    assert not re.search(r"[<>{}]", shown), shown
    assert max(map(len, shown.splitlines())) <= 80
    for option in COMMANDS[path].params:
        if option.param_type_name == "argument":
            assert re.search(rf"^Usage: .*\b{option.name.upper()}\b", shown)
        elif not option.is_flag:
            assert re.search(rf"{option.opts[-1]} (FILE|FOLDER|NAME|TEXT|NAME=TEXT|N) ", shown), option.name


def test_an_empty_field_of_the_report_is_no_empty_value(tmp_path: Path) -> None:
    for field in (("--field", "Patient="), ("--field=Patient=",)):
        done = called("export", "report", tmp_path / "none", "--image", tmp_path / "none.nii", *field)
        assert done.returncode == 10, done.stderr


def test_a_series_of_an_image_that_is_not_dicom_is_ignored_with_a_note(sample_folder: Path) -> None:
    """By `measure` and `export`, too: see the names above."""
    note = "Note: lumbar_t2.nii.gz is not DICOM; the choice of a series (3) was ignored."
    done = called("info", sample_folder / "lumbar_t2.nii.gz", "--series", "3")
    assert done.returncode == 0 and done.stderr.splitlines() == [note]
    assert "was ignored" not in called("info", sample_folder / "lumbar_t2.nii.gz").stderr


def test_commands_that_write_can_be_quiet_and_those_that_only_print_cannot() -> None:
    printing = {("info",), ("methods",), ("conventions",), ("dicom", "list")}
    assert {
        path for path, command in COMMANDS.items() if "--quiet" not in str([p.opts for p in command.params])
    } == printing
