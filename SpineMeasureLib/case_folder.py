"""The folder of a measured case: its files, what marks it as complete, and who finds out that it is not.

run.json is written last and holds the SHA-256 of every file that was written with it. While files are being replaced it
says so: a process that is killed meanwhile leaves a folder that every reader refuses.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import ReviewedCaseError, UnfinishedCaseError
from .files import UNFINISHED, atomic_folder, file_hash, json_object
from .review.mrml.process import SCENE, SEGMENTATION
from .segment.labels.written import WRITTEN, written_name

RUN = "run.json"
LABELS, LABEL_NAMES = "labels.nii.gz", "labels.json"
TABLE, VALUES = "measurements.csv", "measurements.json"
OVERVIEW = "overview.png"
#: Edits that a review keeps beside the scene until it is written again.
KEPT = f"{SCENE}.review.json"
#: Documents of a case that a command exports into its folder.
DOCUMENTS = ("measurements.dcm", "segmentation.dcm", "report.html", "report.txt", "report.pdf")
#: Labels in the values of other programs.
WRITTEN_LABELS = tuple(map(written_name, WRITTEN))
#: Every file that this program writes into the folder of a case: measured, then exported.
OUTPUTS = (
    LABEL_NAMES, LABELS, TABLE, VALUES, OVERVIEW, RUN, SCENE, SEGMENTATION, *DOCUMENTS, *WRITTEN_LABELS
)  # fmt: skip


def run_of(folder: Path) -> dict[str, Any]:
    """Contents of run.json; empty where it is missing or damaged."""
    return (json_object(folder / RUN) or {}) if (folder / RUN).is_file() else {}


def is_case_folder(folder: Path) -> bool:
    """Whether this program wrote a case into a folder."""
    return "spinemeasure" in str(run_of(folder).get("versions"))


def earlier_outputs(folder: Path) -> list[str]:
    """Names of the files in a folder that an earlier run, or an export of it, left there; none where none ran there."""
    return [name for name in OUTPUTS if (folder / name).is_file()] if is_case_folder(folder) else []


@contextmanager
def writing(folder: Path, outdated: Collection[str] = ()) -> Iterator[Path]:
    """`atomic_folder` for the folder of a case; `write_run` is called last in the body of the `with`."""
    with atomic_folder(folder, outdated, lasting=(SCENE, KEPT), marker=RUN) as temporary:
        yield temporary


def write_run(temporary: Path, run: Mapping[str, Any], stay: Mapping[str, str] | None = None) -> None:
    """Write run.json beside the other new files of a case, with their hashes.

    :param stay: SHA-256 by name of the files that stay in the folder.
    """
    files = {**(stay or {}), **{path.name: file_hash(path) for path in temporary.iterdir() if path.is_file()}}
    content = {key: value for key, value in run.items() if key not in (UNFINISHED, "scene_sha256", "files")}
    content["files"] = dict(sorted(files.items()))
    (temporary / RUN).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def stated_hashes(run: Mapping[str, Any]) -> dict[str, str]:
    """SHA-256 by name of the files of a case; of cases up to version 0.1 that of the scene alone."""
    earlier = {SCENE: run["scene_sha256"]} if "scene_sha256" in run else {}
    files = run.get("files")
    return {**earlier, **files} if isinstance(files, dict) else earlier


def require_finished(folder: Path, names: Collection[str] = ()) -> None:
    """Refuse a folder that was not written to its end, or in which files were changed since.

    :param names: the files that are about to be read.
    :raises UnfinishedCaseError: it is one.
    """
    run = run_of(folder)
    if not run or run.get(UNFINISHED):
        raise UnfinishedCaseError(f"Writing the results in {folder.name} was interrupted.", _how_to_mend(folder))
    stated = stated_hashes(run)
    for name in names:
        if name in stated and (folder / name).is_file() and file_hash(folder / name) != stated[name]:
            raise UnfinishedCaseError(
                f"{name} in {folder.name} was changed after it was written.",
                "Measure the case again; a label map that you corrected is measured with --labels.",
            )


def require_unedited(folder: Path) -> None:
    """Refuse a case whose scene was edited and whose tables were not: 3D Slicer writes the scene alone.

    :raises ReviewedCaseError: it was.
    """
    scene, kept = folder / SCENE, folder / KEPT
    if not scene.is_file():
        return
    stated, now = stated_hashes(run_of(folder)), file_hash(scene)
    edits = (json_object(kept) or {}) if kept.is_file() else {}
    newer = edits.get("scene") == now and stated.get(KEPT) != file_hash(kept)
    if stated.get(SCENE, now) != now or newer:
        raise ReviewedCaseError(
            f"{folder.name} was edited in a review; its tables are out of date.",
            f"Write them from the scene: {_tables_command(folder)}",
        )


def require_unreviewed(folder: Path) -> None:
    """Refuse to replace a case that somebody edited or accepted in a review.

    :raises ReviewedCaseError: it was.
    """
    scene, run = folder / SCENE, run_of(folder)
    saved = scene.is_file() and stated_hashes(run).get(SCENE, "") not in ("", file_hash(scene))
    if is_case_folder(folder) and (run.get("reviewed") or (folder / KEPT).is_file() or saved):
        raise ReviewedCaseError(
            f"{folder.name} contains a case that was edited in a review.",
            "Choose another folder, or replace the review with --replace-review.",
        )


def _how_to_mend(folder: Path) -> str:
    again = "Measure the case again."
    if not is_case_folder(folder) or not (folder / SCENE).is_file():
        return again
    return f"Measure the case again, or write its tables from the scene: {_tables_command(folder)}"


def _tables_command(folder: Path) -> str:
    """The call that writes the tables from the scene, with the folder as it was given, for a shell."""
    return f"spinemeasure export tables {shlex.quote(str(folder))}"
