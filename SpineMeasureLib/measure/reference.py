"""Published reference values, shown beside a measurement with their source; never a diagnosis."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache

from ..resources import data_path
from .types import Measurement, Reference


@lru_cache
def _table() -> dict[tuple[str, str, str, str], Reference]:
    content = json.loads(data_path("Resources/reference_values.json").read_text(encoding="utf-8"))
    return {
        (e["level"], e["quantity"], e["method"], e["boundary"]): Reference(
            e["mean"], e["sd"], content["sources"][e["source"]]["citation"]
        )
        for e in content["values"]
    }


def with_reference(measurement: Measurement) -> Measurement:
    """Add the reference to a measurement, if there is one for its level, quantity, method and boundary."""
    key = (measurement.level, measurement.quantity, measurement.method, measurement.boundary)
    return replace(measurement, reference=_table().get(key))
