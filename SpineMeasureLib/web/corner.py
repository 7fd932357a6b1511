"""What the corner of a slice view says: the lines that are drawn in it, and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..review.panel import row_of

if TYPE_CHECKING:
    from ..review.session import Key, Session

#: More lines than this are told apart by their labels.
_MOST = 2


def corner_text(session: Session, slice_node: Any, current: Key | None) -> str:
    """The current value if its line is drawn in a view, else the one or two lines that are; empty if there are more."""
    drawn = lines_in(session, slice_node)
    if current in drawn:
        drawn = [current]
    texts = (row_of(session, key).cells for key in drawn)
    return (
        "\n".join(f"{level} {quantity}: {value}" for level, quantity, value, *_ in texts) if len(drawn) <= _MOST else ""
    )


def lines_in(session: Session, slice_node: Any) -> list[Key]:
    """Rows whose visible lines have both ends in a slice, as Slicer decides it: within half a slice of its middle."""
    from vtkmodules.vtkCommonMath import vtkMatrix4x4

    to_view = vtkMatrix4x4()
    vtkMatrix4x4.Invert(slice_node.GetXYToRAS(), to_view)
    found = []
    for m in session.rows:
        line = session.line(m.key)
        display = None if line is None else line.GetDisplayNode()
        if display is None or not display.GetVisibility() or line.GetNumberOfControlPoints() != 2:
            continue
        ends = (line.GetNthControlPointPositionWorld(n) for n in (0, 1))
        if all(abs(to_view.MultiplyPoint((*end, 1.0))[2]) <= 0.5 for end in ends):
            found.append(m.key)
    return found
