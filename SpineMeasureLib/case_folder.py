"""The folder of a measured case, the one place that knows it: its files, whether it is complete, writing and reading.

run.json is written last and holds the SHA-256 of every file that was written with it. While files are being replaced it
says so: a process that is killed meanwhile leaves a folder that every reader refuses.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .errors import (
    GeometryMismatchError,
    InputNotFoundError,
    ReviewedCaseError,
    UnfinishedCaseError,
    UnreadableInputError,
)
from .export.runinfo import versions
from .export.tables import write_csv, write_json
from .files import UNFINISHED, atomic_folder, file_hash, json_object
from .grid import on_grid_of
from .io.read import read_volume
from .io.same_image import is_stated_image, statement
from .measure.types import Measurement, measurement_from_dict
from .segment.labels.written import WRITTEN, written_name
from .segmentation import SpineSegmentation, segmentation_on, structure_from_dict
from .volume import Volume

SCENE, SEGMENTATION = "scene.mrb", "segmentation.seg.nrrd"
RUN = "run.json"
LABELS, LABEL_NAMES = "labels.nii.gz", "labels.json"
TABLE, VALUES = "measurements.csv", "measurements.json"
OVERVIEW = "overview.png"
#: Edits that a review keeps beside the scene until the scene is saved.
KEPT = f"{SCENE}.review.json"
#: Documents that a command exports into the folder of a case.
DOCUMENTS = ("measurements.dcm", "segmentation.dcm", "report.html", "report.txt", "report.pdf")
#: Label maps with the values of other programs.
WRITTEN_LABELS = tuple(map(written_name, WRITTEN))
#: Every file that this program writes into the folder of a case: measured, then exported.
OUTPUTS = (
    LABEL_NAMES, LABELS, TABLE, VALUES, OVERVIEW, RUN, SCENE, SEGMENTATION, *DOCUMENTS, *WRITTEN_LABELS
)  # fmt: skip
#: Keys of run.json that are not provenance.
_OF_THE_RUN = (
    "input", "seconds", "warnings", "warnings_before_review", "reviewed", "files", "scene_sha256", UNFINISHED,
)  # fmt: skip
#: What `provenance` adds to the provenance of the segmentation.
_ADDED = ("level_verified", "anchor", "versions")
_NAME_A_CASE = "Name an output folder of 'spinemeasure measure'."


def run_of(folder: Path) -> dict[str, Any]:
    """Return the contents of run.json; empty if it is missing or damaged."""
    return (json_object(folder / RUN) or {}) if (folder / RUN).is_file() else {}


def is_case_folder(folder: Path) -> bool:
    """Return whether this program wrote a case into a folder."""
    return "spinemeasure" in str(run_of(folder).get("versions"))


def earlier_outputs(folder: Path) -> list[str]:
    """Return the names of the files that an earlier run, or an export of it, left in a folder."""
    return [name for name in OUTPUTS if (folder / name).is_file()] if is_case_folder(folder) else []


@contextmanager
def writing(folder: Path, outdated: Collection[str] = ()) -> Iterator[Path]:
    """Use `atomic_folder` for the folder of a case; the body of the `with` calls `write_run` last."""
    with atomic_folder(folder, outdated, lasting=(SCENE, KEPT), marker=RUN) as temporary:
        yield temporary


def write_run(temporary: Path, run: Mapping[str, Any], stay: Mapping[str, str] | None = None) -> None:
    """Write run.json beside the other new files of a case, with their hashes.

    :param stay: SHA-256 by name of the files that remain in the folder.
    """
    files = {**(stay or {}), **{path.name: file_hash(path) for path in temporary.iterdir() if path.is_file()}}
    content = {key: value for key, value in run.items() if key not in (UNFINISHED, "scene_sha256", "files")}
    content["files"] = dict(sorted(files.items()))
    (temporary / RUN).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def provenance(segmentation: SpineSegmentation) -> dict[str, object]:
    """Return model, versions and anchor, which are stamped on every output."""
    own: dict[str, object] = {"level_verified": segmentation.level_verified, "anchor": segmentation.anchor}
    return {**segmentation.provenance, **own, "versions": versions()}


def provenance_of(run: Mapping[str, Any]) -> dict[str, object]:
    """Return the provenance that run.json repeats."""
    return {key: value for key, value in run.items() if key not in _OF_THE_RUN}


def run_content(
    volume: Volume, segmentation: SpineSegmentation, warnings: Sequence[str], seconds: Mapping[str, float]
) -> dict[str, object]:
    """Return the contents of run.json for a new case: the image, provenance, seconds per stage and warnings."""
    # Neither file nor folder is named: both may name the patient.
    source: dict[str, object] = {"spacing_mm": [round(s, 4) for s in volume.spacing], **statement(volume)}
    source |= {k: volume.meta[k] for k in ("format", "modality", "series", "series_chosen") if k in volume.meta}
    return {"input": source, **provenance(segmentation), "seconds": dict(seconds), "warnings": list(warnings)}


def write_values(
    temporary: Path, measurements: Sequence[Measurement], provenance: Mapping[str, object], case_id: str
) -> None:
    """Write measurements.csv and measurements.json."""
    write_csv(measurements, temporary / TABLE, case_id)
    write_json(measurements, dict(provenance), temporary / VALUES)


def stated_hashes(run: Mapping[str, Any]) -> dict[str, str]:
    """Return the SHA-256 of the files of a case by name; cases up to version 0.1 state only that of the scene."""
    earlier = {SCENE: run["scene_sha256"]} if "scene_sha256" in run else {}
    files = run.get("files")
    return {**earlier, **files} if isinstance(files, dict) else earlier


def require_finished(folder: Path, names: Collection[str] = ()) -> None:
    """Refuse a folder if writing it was interrupted, or if files have been changed since.

    :param names: the files that are about to be read.
    :raises UnfinishedCaseError: the folder is refused.
    """
    run = run_of(folder)
    if not run or run.get(UNFINISHED):
        raise UnfinishedCaseError(f"Writing the results in {folder.name} was interrupted.", _how_to_mend(folder))
    stated = stated_hashes(run)
    for name in names:
        if name in stated and (folder / name).is_file() and file_hash(folder / name) != stated[name]:
            raise UnfinishedCaseError(
                f"{name} in {folder.name} was changed after it was written.",
                "Measure the case again; to measure a corrected label map, use --labels.",
            )


def require_unedited(folder: Path) -> None:
    """Refuse a case whose scene was edited while its tables were not: 3D Slicer saves only the scene.

    :raises ReviewedCaseError: the case is refused.
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
    """Refuse to replace a case that was edited or accepted in a review.

    :raises ReviewedCaseError: the case is refused.
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
    """Return the shell command that writes the tables from the scene, with the folder as it was given."""
    return f"spinemeasure export tables {shlex.quote(str(folder))}"


@dataclass(frozen=True)
class Results:
    """Contents of the folder of a case.

    :ivar run: contents of run.json: device, seconds, versions, warnings.
    """

    segmentation: SpineSegmentation
    measurements: list[Measurement]
    run: dict[str, Any]


def read_results(folder: Path) -> Results:
    """Read labels.nii.gz, labels.json, measurements.json and run.json.

    :raises InputNotFoundError: one of them is missing.
    :raises UnfinishedCaseError: writing them was interrupted, or one has been changed since.
    :raises UnreadableInputError: one was not written by this program.
    """
    if (folder / RUN).is_file():
        require_finished(folder)
    stated, measured = _json(folder / LABEL_NAMES), _json(folder / VALUES)
    require_finished(folder, (LABEL_NAMES, LABELS, VALUES))
    run = run_of(folder)
    labels = read_volume(folder / LABELS)
    try:
        segmentation = SpineSegmentation(
            labels.array.astype("uint8"),
            labels.affine,
            tuple(structure_from_dict(int(value), entry) for value, entry in stated["labels"].items()),
            bool(stated["level_verified"]),
            str(stated["anchor"]),
            tuple(str(w) for w in run.get("warnings", ())),
            {k: v for k, v in measured["provenance"].items() if k not in _ADDED},
        )
        measurements = [measurement_from_dict(row) for row in measured["measurements"]]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableInputError(f"{folder.name} was not written by this program.", _NAME_A_CASE) from error
    return Results(segmentation, measurements, run)


def read_results_on(folder: Path, image: Path, series: str | None = None) -> tuple[Volume, Results]:
    """Read a measured case and its image; the labels are in the storage order of the image.

    :raises InputNotFoundError: something is missing.
    :raises UnreadableInputError: the folder was not written by this program.
    :raises UnfinishedCaseError: writing it was interrupted, or a file has been changed since.
    :raises GeometryMismatchError: the case was measured on another image.
    :raises ReviewedCaseError: the scene was edited and the tables were not.
    """
    require_unedited(folder)
    case = read_results(folder)
    volume = read_volume(image, series)
    try:
        require_image(folder, volume)
        return volume, replace(case, segmentation=segmentation_on(volume, case.segmentation))
    except GeometryMismatchError as error:
        raise GeometryMismatchError(
            f"{folder.name} was not measured on this image.",
            "Name the image that it was measured on; if that is a study, also its --series.",
        ) from error


def require_image(folder: Path, image: Volume) -> None:
    """Refuse results that were measured on another image.

    Voxels are compared whatever the format and the storage order. Results up to version 0.1 are compared only if both
    are the same.

    :raises GeometryMismatchError: the image is another one.
    """
    other = GeometryMismatchError(
        f"{folder.name} contains the results of another image.", "Rename that folder, or open it instead."
    )
    try:
        if (folder / LABELS).is_file():
            on_grid_of(image, read_volume(folder / LABELS))
        same = is_stated_image(run_of(folder).get("input", {}), image)
    except GeometryMismatchError as error:
        raise other from error
    if not same:
        raise other


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InputNotFoundError(f"There is no {path.name} in {path.parent.name}.", _NAME_A_CASE)
    content = json_object(path)
    if content is None:
        raise UnreadableInputError(f"{path.name} is damaged.", "Measure the case again.")
    return content
