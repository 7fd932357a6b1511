"""A case folder is whole or refused: killed between two moves, a full disk, a file in the way, a file changed since."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from SpineMeasureLib.case_folder import (
    KEPT,
    LABEL_NAMES,
    LABELS,
    RUN,
    SCENE,
    TABLE,
    VALUES,
    read_results,
    require_unedited,
)
from SpineMeasureLib.errors import OutputError, ReviewedCaseError, UnfinishedCaseError
from SpineMeasureLib.files import atomic_folder, atomic_path, file_hash
from SpineMeasureLib.pipeline import Job, run

ROOT = Path(__file__).resolve().parents[2]

#: For each line (new folder, old folder, number): a copy of this process replaces the old case by the new one, and is
#: killed before the move of that number. Prints how the copy ended.
KILLED = """
import json, os, shutil, signal, sys, traceback
from pathlib import Path
from SpineMeasureLib import case_folder

def exchange(new, out, last):
    real, done = os.replace, 0
    def replace(source, target):
        nonlocal done
        if done == last and Path(target).is_relative_to(out):
            os.kill(os.getpid(), signal.SIGKILL)
        done += Path(target).is_relative_to(out)
        real(source, target)
    os.replace = replace
    with case_folder.writing(out, case_folder.earlier_outputs(out)) as folder:
        for file in new.iterdir():
            shutil.copy(file, folder / file.name)

for line in sys.stdin:
    new, out, last = json.loads(line)
    copy = os.fork()
    if not copy:
        try:
            exchange(Path(new), Path(out), last)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    print(os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1]), flush=True)
"""


def job(sample_folder: Path, out: Path, lowest: str | None = None) -> Job:
    labels = sample_folder / "lumbar_t2_labels.nii.gz"
    return Job(sample_folder / "lumbar_t2.nii.gz", out, labels, lowest_disc=lowest, picture=False)


@pytest.fixture(scope="module")
def two(sample_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sample measured twice, with the lowest disc named L5-S1 and L4-L5."""
    place = tmp_path_factory.mktemp("two")
    for name, lowest in (("first", None), ("second", "L4-L5")):
        run(job(sample_folder, place / name, lowest))
    return place / "first", place / "second"


@pytest.fixture
def case(two: tuple[Path, Path], tmp_path: Path) -> Path:
    """A copy of the first."""
    return Path(shutil.copytree(two[0], tmp_path / "out"))


def hashes(folder: Path) -> dict[str, str]:
    """Of all files that are not hidden."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): file_hash(path) for path in files if not _hidden(path, folder)}


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


Killed = Callable[[Path, Path, int], bool]


@pytest.fixture(scope="module")
def killed() -> Iterator[Killed]:
    """Puts one folder in place of another; True if it was killed before the move of a number."""
    with subprocess.Popen(
        [sys.executable, "-c", KILLED], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin and process.stdout
        ask, answers = process.stdin, process.stdout

        def replace_and_kill(new: Path, out: Path, before_move: int) -> bool:
            print(json.dumps([str(new), str(out), before_move]), file=ask, flush=True)
            code = int(answers.readline())
            assert code in (0, -signal.SIGKILL)
            return code != 0

        yield replace_and_kill


@pytest.mark.skipif(os.name == "nt", reason="signals differ on Windows")
def test_a_case_whose_replacement_is_killed_is_whole_or_refused_and_never_mixed(
    two: tuple[Path, Path], case: Path, tmp_path: Path, killed: Killed
) -> None:
    first, second = (hashes(folder) for folder in two)
    levels = [read_results(folder).measurements[0].level for folder in two]
    assert levels[0] != levels[1]
    for move in range(100):
        out = Path(shutil.copytree(case, tmp_path / f"out{move}"))
        if not killed(two[1], out, move):
            break
        found = _without_run(hashes(out))
        assert found.items() <= first.items() or found.items() <= second.items() or set(found) == {SCENE}
        assert SCENE in found, "a reviewer's edits are gone"
        if move == 0:  # nothing was moved yet
            assert hashes(out) == first and read_results(out).measurements[0].level == levels[0]
            continue
        assert json.loads((out / RUN).read_text())["input"] == json.loads((two[0] / RUN).read_text())["input"]
        with pytest.raises(UnfinishedCaseError, match=r"was interrupted\. Measure the case again, or write"):
            read_results(out)
    assert move > 2 * len(first) - 3
    assert hashes(out) == second and read_results(out).measurements[0].level == levels[1]


def _without_run(files: dict[str, str]) -> dict[str, str]:
    return {name: digest for name, digest in files.items() if name != RUN}


@pytest.mark.skipif(os.name == "nt", reason="signals differ on Windows")
def test_a_new_case_that_is_killed_is_refused(two: tuple[Path, Path], tmp_path: Path, killed: Killed) -> None:
    for move in range(1, 100):
        out = tmp_path / f"out{move}"
        out.mkdir()
        if not killed(two[0], out, move):
            break
        assert not (out / RUN).exists()
        if {LABELS, LABEL_NAMES, VALUES} <= set(hashes(out)):
            with pytest.raises(UnfinishedCaseError, match="was interrupted"):
                read_results(out)
    assert read_results(out).measurements


def replaced(new: Path, out: Path) -> None:
    from SpineMeasureLib import case_folder

    with case_folder.writing(out, case_folder.earlier_outputs(out)) as folder:
        for file in new.iterdir():
            shutil.copy(file, folder / file.name)


def test_where_a_move_fails_the_folder_is_as_it_was(
    two: tuple[Path, Path], case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, real = hashes(case), os.replace
    done: list[Path] = []
    failing: list[int] = []

    def replace(source: Path, target: Path) -> None:
        done.append(target)
        if len(done) in failing:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(source, target)

    monkeypatch.setattr("SpineMeasureLib.files.os.replace", replace)
    replaced(two[1], Path(shutil.copytree(case, tmp_path / "counted")))
    moves = len(done)
    assert moves > len(before)
    for number in range(1, moves + 1):
        done[:], failing[:] = [], [number]
        with pytest.raises(OutputError, match="No space left on device"):
            replaced(two[1], case)
        assert hashes(case) == before and not [path for path in case.iterdir() if path.name.startswith(".")]


def test_a_single_file_is_there_at_every_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, real = tmp_path / "a", os.replace
    path.write_text("before")

    def replace(source: Path, target: Path) -> None:
        assert path.read_text() == "before"
        real(source, target)
        assert path.exists()

    monkeypatch.setattr("SpineMeasureLib.files.os.replace", replace)
    with atomic_path(path) as temporary:
        temporary.write_text("after")
    assert path.read_text() == "after"


def test_a_folder_in_the_way_is_refused_before_anything_is_moved(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "a").write_text("before")
    (tmp_path / "new").mkdir()
    for name in "ab":
        (tmp_path / "new" / name).write_text("after")
    with pytest.raises(OutputError, match="contains a folder named b"), atomic_folder(tmp_path) as folder:
        shutil.copytree(tmp_path / "new", folder, dirs_exist_ok=True)
    assert (tmp_path / "a").read_text() == "before"


# -- the place of the outputs is checked before the image is read: there is none


def test_a_folder_named_as_an_output_is_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "out" / TABLE).mkdir(parents=True)
    with pytest.raises(OutputError, match=rf"out contains a folder named {TABLE}"):
        run(Job(tmp_path / "missing.nii.gz", tmp_path / "out"))


@pytest.mark.parametrize("below", ["", "case", "a/b"])
def test_a_file_in_place_of_the_folder_is_refused_before_the_work(below: str, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("x")
    with pytest.raises(OutputError, match="out is not a folder"):
        run(Job(tmp_path / "missing.nii.gz", tmp_path / "out" / below))


def test_a_link_that_leads_nowhere_is_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to(tmp_path / "gone")
    with pytest.raises(OutputError, match="out is not a folder"):
        run(Job(tmp_path / "missing.nii.gz", tmp_path / "out"))


#: The program as a user who is not root; the interpreter itself may be out of that user's reach.
ANOTHER_USER = """
import os, sys
from pathlib import Path
from SpineMeasureLib.__main__ import run_with_json_lines
from SpineMeasureLib.pipeline import Job
if os.geteuid() == 0:
    os.setegid(65534), os.seteuid(65534)
sys.exit(run_with_json_lines(Job(*map(Path, sys.argv[1:]))))
"""


@pytest.mark.skipif(os.name == "nt", reason="users differ on Windows")
def test_a_folder_that_cannot_be_written_to_is_refused_before_the_work() -> None:
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o555)
        task = [os.path.join(place, "missing.nii.gz"), os.path.join(place, "out")]
        command = [sys.executable, "-c", ANOTHER_USER, *task]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == OutputError.exit_code, done.stderr
    assert "could not be written: Permission denied." in " ".join((done.stdout + done.stderr).split())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2.5 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    if not mount or subprocess.run([mount, "-t", "tmpfs", "-o", "size=2560k", "none", disk], check=False).returncode:
        pytest.skip("a small disk can only be mounted by root")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_disk_without_space_is_refused_before_the_work(small_disk: Path, sample_folder: Path) -> None:
    (small_disk / "film").write_bytes(b"x" * 2**20)
    stages: list[str] = []
    with pytest.raises(OutputError, match=r"No space left on device, 2 MB are free, about \d MB are needed"):
        run(job(sample_folder, small_disk / "out"), lambda stage, *_: stages.append(stage))
    assert set(stages) == {"read"} and [path.name for path in small_disk.iterdir()] == ["film"]


def test_a_disk_that_fills_up_keeps_the_earlier_case(small_disk: Path, sample_folder: Path) -> None:
    from dataclasses import replace

    out = small_disk / "out"
    run(replace(job(sample_folder, out), scene=False))
    before = hashes(out)
    with pytest.raises(OutputError):
        run(job(sample_folder, out, "L4-L5"))
    assert hashes(out) == before and read_results(out)
    assert not [path for path in out.iterdir() if path.name.startswith(".")]


# -- what was changed since


@pytest.mark.parametrize("name", [LABELS, LABEL_NAMES, VALUES])
def test_a_file_that_was_changed_since_is_refused(name: str, case: Path, two: tuple[Path, Path]) -> None:
    shutil.copy(two[1] / name, case / name)
    with pytest.raises(UnfinishedCaseError, match=f"{name} in out was changed"):
        read_results(case)


def test_a_case_of_an_earlier_version_is_read(case: Path) -> None:
    told = json.loads((case / RUN).read_text())
    del told["files"]
    (case / RUN).write_text(json.dumps({**told, "scene_sha256": file_hash(case / SCENE)}))
    assert read_results(case).measurements
    require_unedited(case)
    with (case / SCENE).open("ab") as file:
        file.write(b"edited")
    with pytest.raises(ReviewedCaseError):
        require_unedited(case)


def test_measuring_again_leaves_no_edits_of_the_scene_before(case: Path, sample_folder: Path) -> None:
    (case / KEPT).write_text("{}")
    run(replace(job(sample_folder, case), replace_review=True))
    assert not (case / KEPT).exists()
    assert set(json.loads((case / RUN).read_text())["files"]) == set(hashes(case)) - {RUN}
