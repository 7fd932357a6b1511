"""Slice views aligned with the spine: sagittal in the plane of a level, axial perpendicular to the canal. RAS mm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...measure.types import Plane
from .links import nodes_of_class

if TYPE_CHECKING:
    from ..session import Key, Session

Vector = NDArray[np.float64]

#: Screen right, screen up and towards the viewer of Slicer's own orientations (rows), in RAS.
_PRESETS = {
    "Axial": ((-1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "Sagittal": ((0, -1, 0), (0, 0, 1), (-1, 0, 0)),
    "Coronal": ((-1, 0, 0), (0, 0, 1), (0, 1, 0)),
}
#: Minimum sine of the angle to a normal at which a direction defines the plane across it.
_MINIMUM_ACROSS = 0.5
_OF_LAYOUT_NAME = {"Red": "Axial", "Green": "Coronal", "Yellow": "Sagittal"}


@dataclass(frozen=True)
class Aim:
    """The place and the planes that the views show.

    :ivar centre: RAS mm.
    :ivar normals: orientation -> unit normal of its plane; perpendicular to each other.
    """

    centre: Vector
    normals: dict[str, Vector]


def aim_at(session: Session, key: Key) -> Aim | None:
    """Return the aim for a row, in and perpendicular to its measuring plane; None if it has no plane."""
    plane = session.row(key).plane
    if plane is None:
        return None
    normal = _normal(plane)
    ends = _ends(session.line(key))
    centre = np.array(plane.origin) if ends is None else ends.mean(axis=0)
    if abs(normal[0]) >= abs(normal[2]):
        sagittal = normal
        axial = _across(sagittal, _canal_direction(session, key[0]), np.array(plane.y_axis), np.array([0.0, 0.0, 1.0]))
    else:
        axial = normal
        along = _across(axial, None if ends is None else ends[1] - ends[0], np.array(plane.x_axis))
        # A width runs across the patient, a depth along: take whichever direction is closer to left-right.
        sagittal = max((along, np.cross(along, axial)), key=lambda v: abs(float(v[0])))
    sagittal = sagittal * (1 if sagittal[0] >= 0 else -1)
    axial = axial * (1 if axial[2] >= 0 else -1)
    return Aim(centre, {"Sagittal": sagittal, "Axial": axial, "Coronal": np.cross(axial, sagittal)})


def _across(normal: Vector, *wanted: Vector | None) -> Vector:
    """Return the first wanted direction that is not nearly along `normal`, made perpendicular to it."""
    for direction in wanted:
        if direction is not None:
            across = direction - (direction @ normal) * normal
            if np.linalg.norm(across) > _MINIMUM_ACROSS * np.linalg.norm(direction):
                return _unit(across)
    return _unit(np.cross(normal, (0.0, 1.0, 0.0)))


def _unit(vector: Vector) -> Vector:
    return vector / np.linalg.norm(vector)


def _normal(plane: Plane) -> Vector:
    return _unit(np.cross(plane.x_axis, plane.y_axis))


def _ends(line: Any) -> Vector | None:
    if line is None or line.GetNumberOfControlPoints() < 2:
        return None
    return np.array([line.GetNthControlPointPositionWorld(n) for n in (0, 1)])


def _canal_direction(session: Session, level: str) -> Vector | None:
    """Return the direction of the canal at a level: the normal of the plane of its AP diameter."""
    for m in session.rows:
        if m.level == level and m.quantity == "canal_ap" and m.plane is not None:
            return _normal(m.plane)
    return None


def look(scene: Any, aim: Aim) -> None:
    """Turn every slice view of the scene to an aim. A sagittal view keeps its pan while the centre is visible."""
    for node in nodes_of_class(scene, "vtkMRMLSliceNode"):
        orientation = _orientation(node)
        _turn(node, pose(orientation, aim), keep_pan=orientation == "Sagittal")


def pose(orientation: str, aim: Aim) -> Vector:
    """Return the 4x4 slice-to-RAS matrix: screen right, screen up, towards the viewer, centre; upright as Slicer's."""
    right, up, towards = np.array(_PRESETS[orientation], float)
    z = aim.normals[orientation] * (1 if aim.normals[orientation] @ towards >= 0 else -1)
    y = _unit(up - (up @ z) * z)
    x = np.cross(y, z)
    x = x * (1 if x @ right >= 0 else -1)
    matrix = np.eye(4)
    matrix[:3] = np.column_stack([x, y, z, aim.centre])
    return matrix


def _orientation(node: Any) -> str:
    """Return the orientation of a view by its default or name, which turning does not change, else by its matrix."""
    for known in (node.GetDefaultOrientation(), _OF_LAYOUT_NAME.get(node.GetLayoutName())):
        if known in _PRESETS:
            return str(known)
    matrix = node.GetSliceToRAS()
    strongest = int(np.argmax([abs(matrix.GetElement(row, 2)) for row in range(3)]))
    return ("Sagittal", "Coronal", "Axial")[strongest]


def _turn(node: Any, matrix: Vector, keep_pan: bool) -> None:
    current = node.GetSliceToRAS()
    if keep_pan:
        origin = np.array([current.GetElement(row, 3) for row in range(3)])
        away = matrix[:3, 3] - origin
        half = np.array(node.GetFieldOfView()[:2]) / 2
        if np.all(np.abs(away @ matrix[:3, :2]) < 0.9 * half):
            matrix = matrix.copy()
            matrix[:3, 3] = origin + (away @ matrix[:3, 2]) * matrix[:3, 2]
    changing = node.StartModify()
    current.DeepCopy(matrix.ravel().tolist())
    node.UpdateMatrices()
    node.EndModify(changing)
