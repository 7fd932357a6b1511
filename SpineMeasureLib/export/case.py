"""A case read back from its output folder, so that it can be exported again without measuring."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputNotFoundError, UnreadableInputError
from ..measure.types import Measurement, Plane, Reference
from ..results import structure_from_dict
from ..segmentation import SpineSegmentation
from ..volume import read_volume

#: What `pipeline.provenance` adds to that of the segmentation.
_ADDED = ("level_verified", "anchor", "versions")


@dataclass(frozen=True)
class Case:
    """What an output folder of ``spinemeasure measure`` holds."""

    segmentation: SpineSegmentation
    measurements: list[Measurement]


def read_case(folder: Path) -> Case:
    """Read labels.nii.gz, labels.json and measurements.json.

    :raises InputNotFoundError: one of them is missing.
    :raises UnreadableInputError: one of them was not written by this program.
    """
    contents = {name: _json(folder / name) for name in ("labels.json", "measurements.json")}
    labels = read_volume(folder / "labels.nii.gz")
    try:
        stated, measured = contents["labels.json"], contents["measurements.json"]
        structures = tuple(structure_from_dict(int(value), entry) for value, entry in stated["labels"].items())
        provenance = {k: v for k, v in measured["provenance"].items() if k not in _ADDED}
        measurements = [measurement_from(entry) for entry in measured["measurements"]]
        segmentation = SpineSegmentation(
            labels.array.astype("uint8"),
            labels.affine,
            structures,
            bool(stated["level_verified"]),
            str(stated["anchor"]),
            provenance=provenance,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableInputError(
            f"{folder.name} was not written by this program.", "Name an output folder of 'spinemeasure measure'."
        ) from error
    return Case(segmentation, measurements)


def _json(path: Path) -> Any:
    if not path.is_file():
        raise InputNotFoundError(
            f"There is no {path.name} in {path.parent.name}.", "Name an output folder of 'spinemeasure measure'."
        )
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UnreadableInputError(f"{path.name} is damaged.", "Measure the case again.") from error


def _point(values: Any) -> Any:
    return None if values is None else tuple(float(v) for v in values)


def measurement_from(entry: dict[str, Any]) -> Measurement:
    """A measurement from its form in measurements.json (inverse of `dataclasses.asdict`)."""
    fields = {k: v for k, v in entry.items() if k != "definition"}
    plane, reference, automatic = (fields.get(k) for k in ("plane", "reference", "automatic"))
    fields |= {
        "p1": _point(fields.get("p1")),
        "p2": _point(fields.get("p2")),
        "plane": Plane(*(_point(plane[k]) for k in ("origin", "x_axis", "y_axis"))) if plane else None,
        "flags": tuple(fields.get("flags", ())),
        "reference": Reference(**reference) if reference else None,
        "automatic": measurement_from(automatic) if automatic else None,
    }
    return Measurement(**fields)
