"""A case as text for a scene file, and back, without loss."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from ...anatomy import Kind
from ...measure.types import ENDS, Acceptance, Plane, Reference, ends_from_json, measurement_from_dict, point_from_json
from .state import Edit, Row, State

#: 2 did not record which ends snapped to edges.
VERSION = 3


def row_text(number: int, row: Row) -> str:
    """Return one row as JSON."""
    content = {"number": number, "automatic": _plain(row.automatic)}
    if row.edit:
        content["edit"] = _plain(row.edit)
    if row.accepted:
        content["accepted"] = _plain(row.accepted)
    return json.dumps(content, separators=(",", ":"))


def head_text(state: State) -> str:
    """Return everything except the rows as JSON."""
    content = {
        "version": VERSION,
        "segments": {segment: [kind.value, level] for segment, (kind, level) in state.segments.items()},
        "verified": state.verified,
        "anchor": state.anchor,
        "following": state.following,
    }
    return json.dumps(content, separators=(",", ":"))


def read_state(head: str, rows: str) -> State:
    """Read a case.

    :param head: from `head_text`.
    :param rows: JSON list of texts from `row_text`.
    :raises ValueError: the texts are damaged, or were written by a later version of this program.
    """
    content = json.loads(head)
    if content["version"] > VERSION:
        raise ValueError("The scene was written by a later version of SpineMeasure.")
    found = {entry["number"]: _row(entry) for entry in json.loads(rows)}
    segments = {segment: (Kind(kind), level) for segment, (kind, level) in content["segments"].items()}
    return State(found, segments, content["verified"], content["anchor"], content["following"])


def _plain(value: Any) -> dict[str, Any]:
    """Return the fields of a dataclass that differ from their defaults; planes and references likewise."""
    found = {}
    for each in fields(value):
        item = getattr(value, each.name)
        if item != each.default:
            found[each.name] = _plain(item) if isinstance(item, (Plane, Reference)) else item
    return found


def _edit(entry: dict[str, Any]) -> Edit:
    p1, p2 = (point_from_json(entry[end]) for end in ENDS)
    return Edit(**{**entry, "p1": p1, "p2": p2, "snapped": ends_from_json(entry.get("snapped", ()))})


def _row(entry: dict[str, Any]) -> Row:
    edit = entry.get("edit")
    accepted = entry.get("accepted")
    return Row(
        measurement_from_dict(entry["automatic"]),
        _edit(edit) if edit else None,
        Acceptance(**accepted) if accepted else None,
    )
