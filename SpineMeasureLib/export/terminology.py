"""Slicer's terminology and colour table of all structures, made from `anatomy`.

``python -m SpineMeasureLib.export.terminology`` writes both into Resources; a test keeps them in step.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from ..anatomy import StructureInfo, all_structures
from ..resources import data_path

CONTEXT = "SpineMeasure"


def terminology_json() -> str:
    """Return the segmentation context that Slicer's Terminologies module loads (dcmqi segment context schema)."""
    types: dict[str, dict[str, object]] = {}
    for s in all_structures():
        types.setdefault(
            s.code.value,
            {
                "recommendedDisplayRGBValue": list(s.colour),
                "CodeMeaning": s.code.meaning,
                "CodingSchemeDesignator": s.code.scheme,
                "CodeValue": s.code.value,
            },
        )
    category = {
        "CodeMeaning": "Anatomical structure",
        "CodingSchemeDesignator": "SCT",
        "CodeValue": "123037004",
        "showAnatomy": False,
        "Type": list(types.values()),
    }
    content = {
        "SegmentationCategoryTypeContextName": CONTEXT,
        "@schema": "https://raw.githubusercontent.com/qiicr/dcmqi/master/doc/schemas/segment-context-schema.json#",
        "SegmentationCodes": {"Category": [category]},
    }
    text = json.dumps(content, indent=1)
    return re.sub(r"\[\s+(\d+),\s+(\d+),\s+(\d+)\s+\]", r"[\1, \2, \3]", text) + "\n"


def colour_table() -> str:
    """Label values with names and colours, as a Slicer colour table (.ctbl)."""
    lines = ["# SpineMeasure: label values of labels.nii.gz", "0 background 0 0 0 0"]
    named: dict[int, StructureInfo] = {}
    for s in all_structures():
        named.setdefault(s.value, s)
    for value, s in sorted(named.items()):
        lines.append(f"{value} {s.name.replace(' ', '_')} {' '.join(map(str, s.colour))} 255")
    return "\n".join(lines) + "\n"


def write(folder: Path) -> None:
    """Write both files."""
    (folder / "SpineMeasure.term.json").write_text(terminology_json(), encoding="ascii")
    (folder / "SpineMeasure.ctbl").write_text(colour_table(), encoding="ascii")


if __name__ == "__main__":
    write(data_path("Resources"))
