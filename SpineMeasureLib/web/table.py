"""Rows of the session as plain values for the page's table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..review.panel import COLUMNS, row_of

if TYPE_CHECKING:
    from ..review.session import Session

_FIELDS = ("level", "quantity", "value", "auto", "diff", "status", "flags")
HEADERS = [
    {"title": title, "key": {"value": "number"}.get(field, field), "sortable": True}
    for title, field in zip(COLUMNS, _FIELDS, strict=True)
]
_PINNED = "Listed because the views show it; the filter excludes it."


def page_row(session: Session, row_id: int, pinned: bool = False) -> dict[str, Any]:
    """Return one row: ``number`` sorts the values, ``key`` is the present name, ``mark`` the status that colours it.

    :param pinned: the row is outside the filter.
    """
    key = session.key_of_id(row_id)
    assert key is not None
    row = row_of(session, key)
    return {
        "id": row_id, "key": "|".join(key), **dict(zip(_FIELDS, row.cells, strict=True)), "mark": row.status,
        "number": session.row(key).value, "tooltip": f"{_PINNED}\n{row.tooltip}" if pinned else row.tooltip,
        "pinned": pinned,
    }  # fmt: skip
