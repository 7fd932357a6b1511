"""Rows of the session as the page's table takes them: plain values, by an id that survives JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..review.panel import COLUMNS, row_of

if TYPE_CHECKING:
    from ..review.session import Key, Session

_FIELDS = ("level", "quantity", "value", "auto", "diff", "status", "flags")
HEADERS = [
    {"title": title, "key": {"value": "number"}.get(field, field), "sortable": True}
    for title, field in zip(COLUMNS, _FIELDS, strict=True)
]


def id_of(key: Key) -> str:
    """The id of a row."""
    return "|".join(key)


def key_of(row_id: object) -> Key:
    """The row of an id; it may not be there any more.

    :raises KeyError: it is none.
    """
    parts = str(row_id).split("|")
    if len(parts) != 3:
        raise KeyError(row_id)
    return parts[0], parts[1], parts[2]


def page_row(session: Session, key: Key) -> dict[str, Any]:
    """One row for the page; ``number`` is what the table sorts its values by, ``mark`` the status that colours it."""
    row = row_of(session, key)
    value = session.row(key).value
    texts = dict(zip(_FIELDS, row.cells, strict=True))
    return {"id": id_of(key), **texts, "mark": row.status, "number": value, "tooltip": row.tooltip}
