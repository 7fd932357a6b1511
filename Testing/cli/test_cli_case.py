"""Commands on the folder of a measured case: where it may lie, and what of it is refused before anything is opened."""

from __future__ import annotations

import errno
import json
import os
import resource
import shlex
import shutil
import subprocess
import sys
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import typer

from SpineMeasureLib.case_folder import OVERVIEW, RUN, SCENE, TABLE
from SpineMeasureLib.files import file_hash
from SpineMeasureLib.pipeline import Job, run

from ..web import hostile
from .test_terminal import COMMANDS, ROOT


def spinemeasure(
    folder: Path, *arguments: str, limit: Callable[[], None] | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """A call in a folder, of which relative paths are."""
    command = [sys.executable, "-m", "SpineMeasureLib.cli", *arguments]
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "PYTHONPATH": paths, **environment}
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env=env, preexec_fn=limit, timeout=120
    )


@pytest.fixture(scope="module")
def measured(sample_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample, measured from its labels."""
    pytest.importorskip("slicer", reason="slicer-core is not installed")
    out = tmp_path_factory.mktemp("measured") / "out"
    run(Job(sample_folder / "lumbar_t2.nii.gz", out, sample_folder / "lumbar_t2_labels.nii.gz", picture=False))
    return out


@pytest.fixture
def place(measured: Path, tmp_path: Path) -> Path:
    """A folder with a case of a long way and name, and a folder for temporary files."""
    shutil.copytree(measured, tmp_path / "deep" / "er" / "case x")
    (tmp_path / "temporary").mkdir()
    return tmp_path


CASE = "deep/er/case x"


def hashes(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): file_hash(path) for path in folder.rglob("*") if path.is_file()}


def test_the_call_that_a_refusal_names_mends_the_case(place: Path, sample_folder: Path) -> None:
    case, image = place / CASE, str(sample_folder / "lumbar_t2.nii.gz")
    told = json.loads((case / RUN).read_text())
    told["files"][SCENE] = "0" * 64
    (case / RUN).write_text(json.dumps(told))
    refused = spinemeasure(place, "export", "report", CASE, "--image", image)
    assert refused.returncode == 20
    call = refused.stderr[refused.stderr.index("spinemeasure export") :].strip()
    assert call == "spinemeasure export tables 'deep/er/case x'"
    mended = spinemeasure(place, *shlex.split(call)[1:])
    assert (mended.returncode, mended.stderr) == (0, "")
    assert spinemeasure(place, "export", "report", CASE, "--image", image).returncode == 0

    (case / RUN).write_text(json.dumps({**json.loads((case / RUN).read_text()), "unfinished": True}))
    interrupted = spinemeasure(place, "export", "report", CASE, "--image", image)
    assert interrupted.returncode == 21 and interrupted.stderr.endswith(f": {call}\n")


def evil(scene: Path, target: Path, secret: Path) -> None:
    del secret
    hostile.rewritten(scene, target, members={"../evil.txt": b"evil", "../../evil.txt": b"evil"})


def outside(scene: Path, target: Path, secret: Path) -> None:
    hostile.rewritten(scene, target, hostile.naming(f'fileName="{secret}"'))


@pytest.mark.parametrize("attack", [evil, outside])
@pytest.mark.parametrize("command", [("export", "tables"), ("review", "--no-browser")], ids=" ".join)
def test_a_scene_that_leads_outside_of_itself_is_refused(
    place: Path, measured: Path, attack: Callable[[Path, Path, Path], None], command: tuple[str, ...]
) -> None:
    secret = hostile.outside_image(place / "secret", measured / SCENE)
    attack(measured / SCENE, place / CASE / SCENE, secret)
    before = hashes(place)
    done = spinemeasure(place, *command, str(place / CASE), TMPDIR=str(place / "temporary"))
    assert done.returncode == 11 and "outside" in done.stderr and len(done.stderr.splitlines()) == 1
    assert hashes(place) == before


def test_a_scene_whose_copy_has_no_room_is_not_called_damaged(place: Path) -> None:
    before = hashes(place)

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    done = spinemeasure(place, "export", "tables", CASE, limit=small_files, TMPDIR=str(place / "temporary"))
    assert done.returncode == 40 and os.strerror(errno.EFBIG) in done.stderr
    assert "damaged" not in done.stderr and "easure" not in done.stderr
    assert hashes(place) == before


def test_what_is_not_a_case_is_told(place: Path) -> None:
    (place / "empty").mkdir()
    for name, code, words in (
        ("nope", 10, "There is no file or folder nope. Check the path."),
        ("empty", 10, "There is no run.json in empty. Specify an output folder of 'spinemeasure measure'."),
    ):
        done = spinemeasure(place, "export", "tables", name)
        assert (done.returncode, done.stdout, done.stderr) == (code, "", f"Error: {words}\n")


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("nope.mrb", 10, "There is no file or folder nope.mrb"),
        ("bad.mrb", 11, "damaged"),
        ("other.mrml", 11, "refers to other files"),
        ("bad.nii.gz", 11, "bad.nii.gz"),
        ("empty", 17, ""),
        ("interrupted", 21, "was interrupted"),
        ("without scene", 33, "contains no scene.mrb"),
    ],
)
def test_a_review_of_what_cannot_be_opened_ends_with_its_code(place: Path, name: str, code: int, words: str) -> None:
    for file in ("bad.mrb", "other.mrml", "bad.nii.gz"):
        (place / file).write_bytes(b"PK\x03\x04 cut off")
    (place / "empty").mkdir()
    for folder in ("interrupted", "without scene"):
        shutil.copytree(place / CASE, place / folder)
        (place / folder / SCENE).unlink()
    told = json.loads((place / "interrupted" / RUN).read_text())
    (place / "interrupted" / RUN).write_text(json.dumps({**told, "unfinished": True}))
    done = spinemeasure(place, "review", name, "--no-browser")
    assert (done.returncode, done.stdout) == (code, "") and len(done.stderr.splitlines()) == 1
    assert words in done.stderr


def paths_of(command: Any) -> list[Any]:
    """The arguments and options of a command that are paths."""
    # typer keeps the function that was decorated below its own.
    kinds = typing.get_type_hints(command.callback.__wrapped__, include_extras=True)
    return [option for option in command.params if "pathlib.Path" in str(kinds.get(option.name))]


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_no_path_may_be_empty(path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    arguments = [option for option in command.params if option.param_type_name == "argument"]
    for option in paths_of(command):
        words = [*["x"] * arguments.index(option), ""] if option in arguments else [option.opts[-1], ""]
        with patch.dict(os.environ), pytest.raises(typer.BadParameter, match="the value is empty"):
            command.make_context("spinemeasure", words)


def test_an_empty_path_ends_in_one_sentence(tmp_path: Path) -> None:
    assert sum(len(paths_of(command)) for command in COMMANDS.values()) > 30
    for call in (["measure", ""], ["measure", "x.nii.gz", "-o", ""], ["measure", "x.nii.gz", "-o", "o", "--bundle="]):
        done = spinemeasure(tmp_path, *call)
        assert (done.returncode, done.stdout) == (2, "")
        assert ": the value is empty. Try '" in done.stderr and len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_scenes_are_read_and_written_in_one_place() -> None:
    """Elsewhere nobody would check what is read, or give VTK the whole path."""
    sources = [*(ROOT / "SpineMeasureLib").rglob("*.py"), *(ROOT / "SpineMeasure").rglob("*.py")]
    found = {
        source.relative_to(ROOT).as_posix()
        for source in sources
        if any(f".{name}(" in source.read_text(encoding="utf-8") for name in ("ReadFromMRB", "WriteToMRB"))
    }
    assert len(sources) > 200 and found == {"SpineMeasureLib/review/mrml/bundle.py"}


def test_a_case_measured_into_a_relative_folder_has_its_files(place: Path, sample_folder: Path) -> None:
    image, labels = (sample_folder / name for name in ("lumbar_t2.nii.gz", "lumbar_t2_labels.nii.gz"))
    done = spinemeasure(place, "measure", str(image), "-o", "new/case", "--labels", str(labels), "--quiet")
    assert (done.returncode, done.stderr) == (0, "")
    assert {SCENE, TABLE, OVERVIEW} <= {path.name for path in (place / "new" / "case").iterdir()}
    done = spinemeasure(place / "new", "export", "tables", "case")
    assert (done.returncode, done.stderr) == (0, "")
