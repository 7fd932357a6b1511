"""Reading an output folder back: the segmentation and its measurements, as they were before they were written."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .anatomy import Kind
from .errors import GeometryMismatchError, InputNotFoundError, ReviewedCaseError, UnreadableInputError
from .files import atomic_path, file_hash, json_object
from .grid import on_grid_of
from .measure.types import Acceptance, Measurement, Plane, Point, Reference
from .review.process import SCENE
from .segment.conventions import WRITTEN, written_name
from .segmentation import SpineSegmentation, Structure
from .volume import Volume, read_volume

#: Every file that this program writes into the folder of a case: measured, then exported.
OUTPUTS = (
    "labels.json", "labels.nii.gz", "measurements.csv", "measurements.json", "overview.png", "run.json", SCENE,
    "segmentation.seg.nrrd", "measurements.dcm", "segmentation.dcm", "report.html", "report.txt", "report.pdf",
    *map(written_name, WRITTEN),
)  # fmt: skip
#: What `pipeline.provenance` adds to that of the segmentation.
_ADDED = ("level_verified", "anchor", "versions")


@dataclass(frozen=True)
class Results:
    """What ``spinemeasure measure`` left in a folder.

    :ivar run: contents of run.json: device, seconds, versions, warnings; empty where it is missing.
    """

    segmentation: SpineSegmentation
    measurements: list[Measurement]
    run: dict[str, Any]


def read_results(folder: Path) -> Results:
    """Read labels.nii.gz, labels.json, measurements.json and, where it is there, run.json.

    :raises InputNotFoundError: one of the others is missing.
    :raises UnreadableInputError: one was not written by this program.
    """
    stated, measured = _json(folder / "labels.json"), _json(folder / "measurements.json")
    run = _json(folder / "run.json") if (folder / "run.json").is_file() else {}
    labels = read_volume(folder / "labels.nii.gz")
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
        raise UnreadableInputError(
            f"{folder.name} was not written by this program.", "Name an output folder of 'spinemeasure measure'."
        ) from error
    return Results(segmentation, measurements, run)


def earlier_outputs(folder: Path) -> list[str]:
    """Names of the files in a folder that an earlier run, or an export of it, left there; none where none ran there."""
    if "spinemeasure" not in str(_run_of(folder).get("versions")):
        return []
    return [name for name in OUTPUTS if (folder / name).is_file()]


def require_unedited(folder: Path) -> None:
    """Refuse to export the tables of a case whose scene was edited in a review: they know nothing of that.

    :raises ReviewedCaseError: it was.
    """
    from .review.keep import kept_path

    scene = folder / SCENE
    if not scene.is_file():
        return
    now, kept = file_hash(scene), kept_path(scene)
    edits = (json_object(kept) or {}) if kept.is_file() else {}
    if _run_of(folder).get("scene_sha256", now) != now or edits.get("scene") == now:
        raise ReviewedCaseError(
            f"{folder.name} was edited in a review, and its tables were not.", "Export it from that review."
        )


def note_scene(folder: Path, scene_hash: str) -> None:
    """Note in run.json that the scene, written anew, shows what the tables say.

    :param scene_hash: `file_hash` of the scene.
    """
    run = _run_of(folder)
    if run:
        with atomic_path(folder / "run.json") as temporary:
            text = json.dumps({**run, "scene_sha256": scene_hash}, indent=1)
            temporary.write_text(text + "\n", encoding="utf-8")


def require_image(folder: Path, image: Volume) -> None:
    """Refuse results that were measured on another image.

    Voxels are compared where the image is stored as it was then; where it lies, always.

    :raises GeometryMismatchError: they were.
    """
    told = _run_of(folder).get("input", {})
    as_then = told.get("format") == image.meta.get("format")
    other = GeometryMismatchError(
        f"{folder.name} holds the results of another image.", "Rename that folder, or open it instead."
    )
    if as_then and "sha256" in told and told["sha256"] != image.sha256:
        raise other
    try:
        on_grid_of(image, read_volume(folder / "labels.nii.gz"))
    except GeometryMismatchError as error:
        raise other from error


def _run_of(folder: Path) -> dict[str, Any]:
    return (json_object(folder / "run.json") or {}) if (folder / "run.json").is_file() else {}


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InputNotFoundError(
            f"There is no {path.name} in {path.parent.name}.", "Name an output folder of 'spinemeasure measure'."
        )
    content = json_object(path)
    if content is None:
        raise UnreadableInputError(f"{path.name} is damaged.", "Measure the case again.")
    return content


def structure_from_dict(value: int, entry: dict[str, Any]) -> Structure:
    """A structure from its entry in labels.json."""
    return Structure(
        value, entry["name"], Kind(entry["kind"]), entry["level"], entry["confidence"], tuple(entry["flags"])
    )


def measurement_from_dict(row: dict[str, Any]) -> Measurement:
    """A measurement from the fields of its JSON form (`dataclasses.asdict`); unknown fields are passed over."""
    plain = {k: row[k] for k in _PLAIN if k in row}
    plane, reference, automatic = row.get("plane"), row.get("reference"), row.get("automatic")
    accepted = row.get("accepted")
    if plain.get("value") is None:  # version 0.1 wrote the confidence of the structure
        plain = {k: v for k, v in plain.items() if k not in _OF_A_VALUE}
    if plain.get("source") == "accepted":  # up to version 0.1 acceptance replaced the source of the value
        plain["source"] = "edited" if "edited" in row.get("flags", ()) else "automatic"
        accepted = {"reviewer": "", "time": ""}
    return Measurement(
        **plain,
        p1=_point(row.get("p1")),
        p2=_point(row.get("p2")),
        plane=Plane(*(_need(_point(plane[k])) for k in ("origin", "x_axis", "y_axis"))) if plane else None,
        flags=tuple(row.get("flags", ())),
        reference=Reference(reference["mean"], reference["sd"], reference["source"]) if reference else None,
        automatic=measurement_from_dict(automatic) if automatic else None,
        accepted=Acceptance(accepted["reviewer"], accepted["time"]) if accepted else None,
    )


_PLAIN = (
    "level", "quantity", "method", "value", "unit", "boundary", "source", "confidence", "confidence_kind",
    "confidence_tolerance", "repeatability", "note",
)  # fmt: skip
_OF_A_VALUE = ("confidence", "confidence_kind", "confidence_tolerance", "repeatability")


def _point(value: Any) -> Point | None:
    if value is None:
        return None
    r, a, s = (float(c) for c in value)
    return (r, a, s)


def _need(point: Point | None) -> Point:
    if point is None:
        raise ValueError("a plane without a point")
    return point
