"""measurements.csv, measurements.json, labels.json, and the data dictionary that describes them."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .. import __version__
from ..anatomy import code_of
from ..files import atomic_path
from ..measure.definitions import definition, methods
from ..measure.flags import FLAGS
from ..measure.types import Measurement
from ..segmentation import SpineSegmentation
from .columns import CASE_ID, COLUMNS, Cell


def table_rows(measurements: Sequence[Measurement]) -> list[list[Cell]]:
    """Return one row per measurement, in the order of `COLUMNS`; None for a missing number. Points are RAS mm."""
    return [[column.of(m) for column in COLUMNS] for m in measurements]


def _text(cell: Cell) -> str:
    if cell is None:
        return ""
    return f"{cell:.4f}".rstrip("0").rstrip(".") if isinstance(cell, float) else str(cell)


def write_csv(measurements: Sequence[Measurement], path: Path, case_id: str) -> None:
    """Write measurements.csv: one row per value, with empty cells for missing ones.

    :param case_id: of the image (`Volume.case_id`), so that tables of many cases can be concatenated.
    """
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([CASE_ID.name, *(column.name for column in COLUMNS)])
        writer.writerows([case_id, *map(_text, row)] for row in table_rows(measurements))


def write_json(measurements: Sequence[Measurement], provenance: dict[str, object], path: Path) -> None:
    """Write measurements.json: every field of every measurement, its definition, and the provenance."""
    values = [{**asdict(m), "definition": definition(m.quantity, m.method, m.level).text} for m in measurements]
    _dump({"frame": "RAS mm", "provenance": provenance, "measurements": values}, path)


def data_dictionary() -> dict[str, Any]:
    """Return the output of ``spinemeasure methods --json``, as plain values."""
    return {
        "spinemeasure": __version__,
        "frame": "RAS mm",
        "columns": [{"name": c.name, "type": c.kind, "unit": c.unit, "meaning": c.text} for c in (CASE_ID, *COLUMNS)],
        "quantities": [
            {
                "quantity": d.quantity,
                "method": d.method,
                "unit": d.unit,
                "title": d.title,
                "definition": d.text,
                "source": d.source,
                "boundary": d.boundary,
                "editable": d.editable,
            }
            for d in methods()
        ],
        "flags": [{"flag": name, "meaning": flag.meaning} for name, flag in FLAGS.items()],
    }


def write_labels(segmentation: SpineSegmentation, path: Path) -> None:
    """Write labels.json: the structure of each value in labels.nii.gz."""
    labels = {}
    for s in segmentation.structures:
        code = code_of(s.kind, s.level)
        labels[str(s.value)] = {
            "name": s.name,
            "kind": s.kind.value,
            "level": s.level,
            "code": {"scheme": code.scheme, "value": code.value, "meaning": code.meaning},
            "confidence": None if s.confidence is None else round(s.confidence, 4),
            "flags": list(s.flags),
        }
    anchor = {"level_verified": segmentation.level_verified, "anchor": segmentation.anchor}
    _dump({**anchor, "labels": labels}, path)


def _dump(content: object, path: Path) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
