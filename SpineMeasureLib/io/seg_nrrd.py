"""The description of segments in the header of a .seg.nrrd, as 3D Slicer writes it.

Source: Slicer, Libs/vtkSegmentationCore and vtkMRMLSegmentationStorageNode: fields ``Segment0_Name``,
``Segment0_LabelValue``, ``Segment0_Layer``, ``Segment0_Tags`` (``key:value|key:value``); the tag ``TerminologyEntry``
is ``context~category~type~modifier~region context~region~region modifier``, each a ``scheme^code^meaning``.
"""

from __future__ import annotations

import re
from pathlib import Path

from .label_segments import Segment

_FIELD = re.compile(r"Segment(\d+)_(\w+):=(.*)")
_OWN = "SpineMeasure."
#: Types that only state that it is some part of the body (SNOMED CT); the region states which.
SOME_PART = ("272673000", "3138006", "85756007", "91723000", "123037004", "113343008")


def segments_of_header(path: Path, layers: int) -> tuple[Segment, ...]:
    """Return the segments that the header of a NRRD file describes, by number; none if it describes none.

    :param layers: of the file. Slicer before 4.11 wrote a layer for each segment without stating it.
    """
    found: dict[int, dict[str, str]] = {}
    with path.open("rb") as file:
        for line in file:
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            if not text:
                break
            if field := _FIELD.match(text):
                found.setdefault(int(field[1]), {})[field[2]] = _unescaped(field[3])
    return tuple(_segment(number, fields, layers) for number, fields in sorted(found.items()))


def code_of_entry(entry: str) -> str:
    """Return the SNOMED CT code of a serialised terminology entry: of its type, else of the region; may be empty."""
    parts = [part.split("^") for part in entry.split("~")]

    def code(place: int) -> str:
        return parts[place][1] if len(parts) > place and len(parts[place]) > 1 else ""

    return code(5) if code(2) in SOME_PART and code(5) else code(2)


def _segment(number: int, fields: dict[str, str], layers: int) -> Segment:
    tags = dict(tag.partition(":")[::2] for tag in fields.get("Tags", "").split("|"))
    return Segment(
        layer=_number(fields.get("Layer"), number if layers > 1 else 0),
        value=_number(fields.get("LabelValue"), 1),
        names=(fields.get("Name", ""),),
        code=code_of_entry(tags.get("TerminologyEntry", "")),
        kind=tags.get(f"{_OWN}kind", ""),
        level=tags.get(f"{_OWN}level", ""),
    )


def _number(text: str | None, otherwise: int) -> int:
    return int(text) if text and text.strip().isdigit() else otherwise


def _unescaped(text: str) -> str:
    return text.replace("\\n", "\n").replace("\\\\", "\\")
