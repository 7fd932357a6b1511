"""What a panel shows of a session: rows as text, groups, scopes, shortcuts, the next level or flagged value.

Qt-free, so that the Slicer module and the browser show the same words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..anatomy import Kind, all_structures
from ..errors import ModelError
from ..measure.definitions import GROUPS as _QUANTITY_GROUPS
from ..measure.definitions import MAIN_QUANTITIES, Definition, EndsOn, definition, methods
from ..measure.flags import in_words
from ..measure.placement import placement
from ..measure.types import MODEL_PROBABILITY, WITHIN_TOLERANCE, Measurement
from ..measure.units import UNITS, number
from ..resources import data_path
from .case.state import automatic_of, difference_of, status_of, status_text, statuses_of

if TYPE_CHECKING:
    from .session import Key, Session

STATUSES = ("automatic", "edited", "flagged", "accepted")
#: Everything that the status column can contain.
STATUS_TEXTS = (*STATUSES, "edited, accepted")
COLUMNS = ("Level", "Quantity", "Value", "Auto", "Diff.", "Status", "Flags")

#: Filters of the rows: the values with a line to drag, all, and the groups of the definitions.
GROUPS = ("Lines", "All values", *_QUANTITY_GROUPS)
ALL_LEVELS = "All levels"
LEVELS_GUESSED = (
    "The level names are estimated: neither the sacrum nor the dens is in view. Name one disc and the others follow."
)

#: What heights are shown between, in words.
ENDS: dict[EndsOn, str] = {"edges": "edges of the image", "masks": "segments"}

#: What accept, withdraw and reset apply to. The first is the default in every session: nobody signs more than intended.
SCOPES = ("selected values", "level", "case")

#: Keys as Qt writes them -> (`desk.Action`, what it does). In Slicer an open Segment Editor has the keys with Ctrl.
SHORTCUTS = {
    "Alt+Down": ("next_level", "next level"),
    "Alt+Up": ("previous_level", "previous level"),
    "Alt+N": ("next_flagged", "next flagged value"),
    "Alt+A": ("accept", "accept"),
    "Alt+R": ("reset", "reset to automatic"),
    "Alt+Z": ("undo", "undo"),
    "Alt+Y": ("redo", "redo"),
    "Ctrl+Z": ("undo", "undo"),
    "Ctrl+Shift+Z": ("redo", "redo"),
    "Ctrl+Y": ("redo", "redo"),
}


@dataclass(frozen=True)
class Row:
    """One measurement as text.

    :ivar cells: in the order of `COLUMNS`.
    :ivar status: one of `STATUSES`, for colour and icon; the cell names all that apply.
    """

    key: Key
    cells: tuple[str, ...]
    status: str
    tooltip: str


def value_text(value: float | None, unit: str, sign: bool = False) -> str:
    """Return ``"8.3 mm"``, ``"0.31"``, or ``"-"`` without a value; with `sign` ``"+0.4"`` without its unit."""
    text = number(value, unit, sign="+" if sign else "", missing="-")
    return text if value is None or sign or not UNITS[unit].sign else f"{text} {unit}"


def row_of(session: Session, key: Key) -> Row:
    """Return the row of one measurement."""
    m: Measurement = session.row(key)
    what = definition(m.quantity, m.method, m.level)
    automatic = automatic_of(m)
    difference = difference_of(m)
    differs = difference is not None or automatic.value != m.value
    status = status_of(m)
    cells = (
        m.level,
        what.title,
        value_text(m.value, m.unit),
        value_text(automatic.value, m.unit) if differs else "",
        value_text(difference, m.unit, sign=True) if difference is not None else "",
        status_text(m),
        ", ".join(in_words(flag) for flag in m.flags if flag != "edited"),
    )
    return Row(key, cells, status, _tooltip(m, what))


def confidence_text(m: Measurement) -> str:
    """Say what the confidence of a value means, with its number."""
    if m.confidence_kind == WITHIN_TOLERANCE:
        return f"Probability of lying within {m.confidence_tolerance:g} mm of an expert's value: {m.confidence:.2f}"
    if m.confidence_kind == MODEL_PROBABILITY:
        return f"Mean model probability inside the structure: {m.confidence:.2f}"
    return f"Confidence, kind not recorded: {m.confidence:.2f}"


def _tooltip(m: Measurement, what: Definition) -> str:
    parts = [f"{what.title} ({m.method}): {what.text}."]
    if m.boundary:
        parts.append(f"Boundary: {in_words(m.boundary)}.")
    if m.repeatability is not None:
        parts.append(f"Spread over neighbouring planes: {value_text(m.repeatability, m.unit)}.")
    if m.confidence is not None:
        parts.append(confidence_text(m) + ".")
    if m.reference is not None:
        spread = "" if m.reference.sd is None else f" +/- {m.reference.sd:g}"
        parts.append(f"Published mean, not a cut-off: {m.reference.mean:g}{spread} {m.unit} ({m.reference.source}).")
    placed = placement(m)
    if placed:
        parts.append(f"{placed[0].upper()}{placed[1:]}.")
    if m.note:
        parts.append(f"{m.note[0].upper()}{m.note[1:]}.")
    return "\n".join(parts)


def in_group(m: Measurement, group: str) -> bool:
    """Return whether a row belongs to one of `GROUPS`."""
    what = definition(m.quantity, m.method, m.level)
    return group == "All values" or (what.editable and not m.second if group == "Lines" else what.group == group)


def keys_shown(session: Session, group: str, level: str = ALL_LEVELS) -> list[Key]:
    """Return the rows that a filter includes, in the order of the session."""
    return [m.key for m in session.rows if in_group(m, group) and level in (ALL_LEVELS, m.level)]


def quantities_shown(group: str) -> list[str]:
    """Return the quantities whose lines are drawn under a filter."""
    return sorted({d.quantity for d in methods() if d.editable and group in ("All values", "Lines", d.group)})


def step(items: Sequence[str], current: str, by: int) -> str:
    """Return the item `by` places after the current one, stopping at the ends.

    Without a current one: the first, or the last if `by` is negative.
    """
    if not items:
        return ""
    if current not in items:
        return items[0 if by > 0 else -1]
    return items[min(len(items) - 1, max(0, items.index(current) + by))]


def next_flagged(session: Session, after: Key | None) -> Key | None:
    """Return the first flagged row after a row, starting again at the top; None if no row is flagged."""
    order = [m.key for m in session.rows]
    flagged = set(session.flagged)
    start = order.index(after) + 1 if after in order else 0
    return next((key for key in order[start:] + order[:start] if key in flagged), None)


def main_key(session: Session, level: str) -> Key | None:
    """Return the row that represents a level: of `definitions.MAIN_QUANTITIES`, else its first with a plane."""
    order = MAIN_QUANTITIES
    rows = [m for m in session.rows if m.level == level]
    rows.sort(key=lambda m: order.index(m.quantity) if m.quantity in order and not m.second else len(order))
    return next((m.key for m in rows if m.plane is not None), rows[0].key if rows else None)


def shown_instead(session: Session, key: Key) -> Key:
    """Return the row that is shown first instead of a height that is not; the row itself if it is shown."""
    m = session.row(key)

    def has_ends(row: Measurement) -> bool:
        return definition(row.quantity, row.method, row.level).ends_on is not None

    if not m.second or not has_ends(m):
        return key
    same = (row for row in session.rows if (row.level, row.quantity) == key[:2] and not row.second)
    return next((row.key for row in same if has_ends(row)), key)


def counts(session: Session) -> dict[str, int]:
    """Count values, lines, and values of each status; a value may be both edited and accepted."""
    found = dict.fromkeys(STATUSES, 0)
    rows = session.rows
    for m in rows:
        for status in statuses_of(m):
            found[status] += 1
    return {"values": len(rows), "lines": sum(session.line(m.key) is not None for m in rows), **found}


def summary(session: Session) -> str:
    """Return ``"118 values, 60 lines; 2 edited, 3 flagged, 10 accepted"``."""
    found = counts(session)
    told = ", ".join(f"{found[s]} {s}" for s in STATUSES[1:] if found[s])
    return f"{found['values']} values, {found['lines']} lines" + (f"; {told}" if told else "")


def level_note(session: Session) -> str:
    """Return a warning if the level names are only estimated, else an empty text."""
    if any("level_unverified" in m.flags for m in session.rows):
        return LEVELS_GUESSED
    return ""


def ended_by(session: Session, rename: Callable[[], object]) -> list[str]:
    """Rename levels and return the values that do not exist under the new names, as ``"L1-S1 Lordosis"``."""
    before = [(session.id_of(m.key), m) for m in session.rows]
    rename()
    return [
        f"{m.level} {definition(m.quantity, m.method, m.level).title}"
        for row, m in before
        if session.key_of_id(row) is None
    ]


def disc_names() -> list[str]:
    """Return the names of all discs from head to sacrum."""
    return [s.level for s in all_structures() if s.kind is Kind.DISC]


def model_card() -> str:
    """Return the model card of the bundled model as Markdown, or why it is missing."""
    try:
        return data_path("models/spine_mri/docs/README.md").read_text(encoding="utf-8")
    except ModelError as error:
        return str(error)


def methods_text() -> str:
    """Return all definitions as Markdown."""
    lines = []
    for d in methods():
        source = f" *{d.source}.*" if d.source else ""
        lines.append(f"- **{d.title}** (`{d.method}`, {d.unit}): {d.text}.{source}")
    return "\n".join(lines) + "\n"
