"""Reading an output folder back: the segmentation and its measurements, as they were before they were written."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .anatomy import Kind
from .errors import UnreadableInputError
from .measure.types import Measurement, Plane, Point, Reference
from .segmentation import SpineSegmentation, Structure
from .volume import read_volume


@dataclass(frozen=True)
class Results:
    """What `pipeline.run` left in a folder.

    :ivar run: contents of run.json: device, seconds, versions, warnings.
    """

    segmentation: SpineSegmentation
    measurements: list[Measurement]
    warnings: tuple[str, ...]
    run: dict[str, Any]


def read_results(folder: Path) -> Results:
    """Read labels, measurements and run information of an output folder.

    :raises UnreadableInputError: a file is missing or is not as this program writes it.
    """
    try:
        run = _json(folder / "run.json")
        warnings = tuple(str(w) for w in run.get("warnings", ()))
        segmentation = _segmentation(folder, warnings, run)
        content = _json(folder / "measurements.json")
        measurements = [measurement_from_dict(row) for row in content["measurements"]]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise UnreadableInputError("The results of the measuring cannot be read.", "Measure again.") from error
    return Results(segmentation, measurements, warnings, run)


def _json(path: Path) -> dict[str, Any]:
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(path.name)
    return content


def _segmentation(folder: Path, warnings: tuple[str, ...], run: dict[str, Any]) -> SpineSegmentation:
    content = _json(folder / "labels.json")
    structures = tuple(structure_from_dict(int(value), entry) for value, entry in content["labels"].items())
    volume = read_volume(folder / "labels.nii.gz")
    stamped = ("model", "model_version", "model_sha256", "device", "labels")
    provenance: dict[str, object] = {key: run[key] for key in stamped if key in run}
    verified, anchor = bool(content["level_verified"]), str(content["anchor"])
    labels = volume.array.astype("uint8")
    return SpineSegmentation(labels, volume.affine, structures, verified, anchor, warnings, provenance)


def structure_from_dict(value: int, entry: dict[str, Any]) -> Structure:
    """A structure from its entry in labels.json."""
    return Structure(
        value, entry["name"], Kind(entry["kind"]), entry["level"], entry["confidence"], tuple(entry["flags"])
    )


def measurement_from_dict(row: dict[str, Any]) -> Measurement:
    """A measurement from the fields of its JSON form (`dataclasses.asdict`); unknown fields are passed over."""
    plain = {k: row[k] for k in _PLAIN if k in row}
    plane, reference, automatic = row.get("plane"), row.get("reference"), row.get("automatic")
    return Measurement(
        **plain,
        p1=_point(row.get("p1")),
        p2=_point(row.get("p2")),
        plane=Plane(*(_need(_point(plane[k])) for k in ("origin", "x_axis", "y_axis"))) if plane else None,
        flags=tuple(row.get("flags", ())),
        reference=Reference(reference["mean"], reference["sd"], reference["source"]) if reference else None,
        automatic=measurement_from_dict(automatic) if automatic else None,
    )


_PLAIN = (
    "level", "quantity", "method", "value", "unit", "boundary", "source", "confidence", "repeatability", "note",
)  # fmt: skip


def _point(value: Any) -> Point | None:
    if value is None:
        return None
    r, a, s = (float(c) for c in value)
    return (r, a, s)


def _need(point: Point | None) -> Point:
    if point is None:
        raise ValueError("a plane without a point")
    return point
