"""Reading an output folder back: the segmentation and its measurements, as they were before they were written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .anatomy import Kind
from .case_folder import LABEL_NAMES, LABELS, RUN, VALUES, require_finished, run_of
from .errors import GeometryMismatchError, InputNotFoundError, UnreadableInputError
from .files import json_object
from .grid import on_grid_of
from .io.read import read_volume
from .io.same_image import is_stated_image
from .measure.types import Acceptance, Measurement, Plane, Point, Reference
from .segmentation import SpineSegmentation, Structure
from .volume import Volume

#: What `pipeline.provenance` adds to that of the segmentation.
_ADDED = ("level_verified", "anchor", "versions")


@dataclass(frozen=True)
class Results:
    """What ``spinemeasure measure`` left in a folder.

    :ivar run: contents of run.json: device, seconds, versions, warnings.
    """

    segmentation: SpineSegmentation
    measurements: list[Measurement]
    run: dict[str, Any]


def read_results(folder: Path) -> Results:
    """Read labels.nii.gz, labels.json, measurements.json and run.json.

    :raises InputNotFoundError: one of them is missing.
    :raises UnfinishedCaseError: they were not written to their end, or one was changed since.
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
        raise UnreadableInputError(
            f"{folder.name} was not written by this program.", "Name an output folder of 'spinemeasure measure'."
        ) from error
    return Results(segmentation, measurements, run)


def require_image(folder: Path, image: Volume) -> None:
    """Refuse results that were measured on another image.

    Voxels are compared whatever the format and the storage order; of results up to version 0.1 where both are the same.

    :raises GeometryMismatchError: they were.
    """
    other = GeometryMismatchError(
        f"{folder.name} holds the results of another image.", "Rename that folder, or open it instead."
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
