"""The text in the corner of a slice view: which lines are visible in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..review.panel import row_of

if TYPE_CHECKING:
    from ..review.session import Key, Session

#: More lines than this are identified by their labels only.
_MAXIMUM = 2


def corner_text(session: Session, slice_node: Any, current: Key | None) -> str:
    """Describe the current line if it is visible, else the one or two visible lines; empty if there are more."""
    visible = lines_in(session, slice_node)
    if current in visible:
        visible = [current]
    if len(visible) > _MAXIMUM:
        return ""
    return "\n".join("{} {}: {}".format(*row_of(session, key).cells) for key in visible)


def lines_in(session: Session, slice_node: Any) -> list[Key]:
    """Return the rows whose visible lines have both ends within half a slice of a slice's centre, as in Slicer."""
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
