"""The data dictionary: every column, quantity and flag of the tables, for programs that read them."""

from __future__ import annotations

from typing import Any

from .. import __version__
from ..measure.definitions import methods
from ..measure.flags import known_flags, meaning
from .columns import CASE_ID, COLUMNS


def data_dictionary() -> dict[str, Any]:
    """What ``spinemeasure methods --json`` prints: plain values, as JSON takes them."""
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
        "flags": [{"flag": flag, "meaning": meaning(flag)} for flag in known_flags()],
    }
