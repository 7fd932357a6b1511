"""Rows of the session as the page's table takes them: plain values, by an id that survives JSON and renaming."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from ..review.case.state import statuses_of
from ..review.panel import COLUMNS, keys_shown, row_of

if TYPE_CHECKING:
    from ..review.session import Key, Session

_FIELDS = ("level", "quantity", "value", "auto", "diff", "status", "flags")
HEADERS = [
    {"title": title, "key": {"value": "number"}.get(field, field), "sortable": True}
    for title, field in zip(COLUMNS, _FIELDS, strict=True)
]
_PINNED = "Shown because the views show it; the filter does not include it."


def id_of(session: Session, key: Key) -> str:
    """The id of a row."""
    return str(session.id_of(key))


def key_of(session: Session, row_id: object) -> Key | None:
    """The row of an id; None if it is not there any more, or never was."""
    text = str(row_id)
    return session.key_of_id(int(text)) if text.isascii() and text.isdigit() and len(text) < 10 else None


def page_row(session: Session, key: Key, pinned: bool = False) -> dict[str, Any]:
    """One row for the page: ``number`` is what the table sorts its values by, ``key`` its names now, ``mark`` the
    status that colours it.

    :param pinned: it is outside the filter.
    """
    row = row_of(session, key)
    texts = dict(zip(_FIELDS, row.cells, strict=True))
    tooltip = f"{_PINNED}\n{row.tooltip}" if pinned else row.tooltip
    number = session.row(key).value
    return {
        "id": id_of(session, key), "key": "|".join(key), **texts, "mark": row.status,
        "number": number, "tooltip": tooltip, "pinned": pinned,
    }  # fmt: skip


def page_rows(
    session: Session, group: str, level: str, statuses: Collection[str], pinned: Key | None
) -> list[dict[str, Any]]:
    """The rows that a filter leaves, in the order of the session.

    :param statuses: those of the filter; empty for all.
    :param pinned: a row that is shown in any case.
    """
    included = {
        key
        for key in keys_shown(session, group, level)
        if not statuses or not set(statuses).isdisjoint(statuses_of(session.row(key)))
    }
    shown = (m.key for m in session.rows if m.key in included or m.key == pinned)
    return [page_row(session, key, pinned=key not in included) for key in shown]


def texts(value: object) -> list[str]:
    """The texts of a list that a page sent, which may be anything."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, (list, tuple)) else []
