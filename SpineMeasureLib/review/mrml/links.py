"""Links between the nodes of a case: a hidden node stores its record and refers to the others.

Other nodes are linked by node references only: they are updated when a scene is imported into another and ids change.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..case.record import head_text, read_state, row_text
from ..case.state import Row, State

ATTRIBUTE = "SpineMeasure."
_MODULE = "SpineMeasureCase"
_ROLES = ("volume", "segmentation", "table")


def nodes_of_class(scene: Any, name: str) -> list[Any]:
    """Return all nodes of a class in the scene."""
    return [scene.GetNthNodeByClass(n, name) for n in range(scene.GetNumberOfNodesByClass(name))]


def add_case_node(scene: Any, name: str, volume: Any, segmentation: Any, table: Any) -> Any:
    """Add the hidden node of a new case; `volume` may be None."""
    node = scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode", f"{name} case")
    node.SetModuleName(_MODULE)
    for role, other in zip(_ROLES, (volume, segmentation, table), strict=True):
        link(node, role, other)
    return node


def case_nodes(scene: Any) -> list[Any]:
    """Return the hidden nodes of all cases in a scene."""
    return [node for node in nodes_of_class(scene, "vtkMRMLScriptedModuleNode") if node.GetModuleName() == _MODULE]


def link(node: Any, role: str, other: Any) -> None:
    """Make a node refer to another, or to none."""
    node.SetNodeReferenceID(ATTRIBUTE + role, other.GetID() if other is not None else None)


def linked(node: Any, role: str) -> Any:
    """Return the node that a node refers to; None if there is none or it was deleted."""
    return node.GetNodeReference(ATTRIBUTE + role)


def link_line(line: Any, number: int, case: Any, segment: str | None) -> None:
    """Link a line to its case, its row and the segment that it measures."""
    link(line, "case", case)
    link(line, "segmentation", linked(case, "segmentation"))
    link(line, "table", linked(case, "table"))
    line.SetAttribute(f"{ATTRIBUTE}row", str(number))
    if segment is not None:
        line.SetAttribute(f"{ATTRIBUTE}segment", segment)


def lines_of(scene: Any, case: Any) -> dict[int, Any]:
    """Return the line nodes of a case by row number; of cloned lines the first."""
    found: dict[int, Any] = {}
    for line in nodes_of_class(scene, "vtkMRMLMarkupsLineNode"):
        number = line.GetAttribute(f"{ATTRIBUTE}row")
        if number is not None and linked(line, "case") is case:
            found.setdefault(int(number), line)
    return found


class Record:
    """The case as text in its hidden node; only rows that changed are converted again."""

    def __init__(self, node: Any) -> None:
        self._node = node
        self._texts: dict[int, tuple[Row, str]] = {}

    def write(self, state: State) -> None:
        """Store a state."""
        texts = (self._text(number, row) for number, row in state.rows.items())
        self._node.SetParameter("rows", _listed(texts))
        self._node.SetParameter("case", head_text(state))

    def read(self) -> State:
        """Return the stored state.

        :raises ValueError: it is damaged or was written by a later version.
        """
        return read_state(self._node.GetParameter("case"), self._node.GetParameter("rows"))

    def _text(self, number: int, row: Row) -> str:
        known = self._texts.get(number)
        if known is None or known[0] is not row:
            self._texts[number] = known = (row, row_text(number, row))
        return known[1]


def _listed(texts: Iterable[str]) -> str:
    return "[" + ",\n".join(texts) + "]"
