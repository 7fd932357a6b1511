"""Level names from disc points, as the Spinal Cord Toolbox, TotalSpineSeg and 3D Slicer write them.

A NIfTI file has a voxel for each disc, with the number of the vertebra below it counted from C1: C2-C3 is 3, C7-T1 is
8, T12-L1 is 20, L5-S1 is 25. Sources: Spinal Cord Toolbox, "Labeling conventions" and sct_label_vertebrae (C2/C3 -> 3,
further values 49 and 50 for the pontomedullary groove and junction; points at the posterior tip of the disc, or in the
cord beside it); TotalSpineSeg, totalspineseg/resources/labels_maps/levels_maps.json (step1_levels: the same numbers,
points in the middle of the canal).
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from ...anatomy import USUAL_ORDER, Kind, disc_name
from ...errors import InputNotFoundError, LevelNameError, UnreadableInputError
from ...files import json_object
from ...io.read import read_volume
from ...orientation import apply_affine
from ...segmentation import SpineSegmentation
from ..naming.levels import parse_disc
from ..naming.rename import rename
from .anchors import Anchor, lowest_disc_of
from .names import structure_of_name

#: Disc of each number of a NIfTI file.
DISC_OF_NUMBER = {n: disc_name(USUAL_ORDER[n - 2], USUAL_ORDER[n - 1]) for n in range(3, len(USUAL_ORDER) + 1)}
#: Numbers that are not discs between two bodies: top of C1, C1-C2; S1-S2 and below; landmarks of the brainstem, conus.
_NO_DISC = (1, 2, *range(26, 31), 49, 50, 60)
#: Maximum extent of the voxels of one point (mm).
_POINT_MM = 15.0
#: Maximum distance (mm) of a point from its disc, as in the middle of a wide canal, and in height, in levels.
_FARTHEST_MM, _PART_OF_LEVEL = 30.0, 0.5
_USUAL_LEVEL_MM = 30.0


@dataclass(frozen=True)
class DiscPoint:
    """A named point of a disc.

    :ivar position: RAS mm.
    """

    disc: str
    position: tuple[float, float, float]


def read_disc_points(path: Path) -> tuple[DiscPoint, ...]:
    """Read disc points from a NIfTI file (numbers), or from .mrk.json or .fcsv of 3D Slicer (names of discs).

    :raises InputNotFoundError: there is no such file.
    :raises UnreadableInputError: it is damaged or contains something else.
    :raises LevelNameError: it has points that are not named after discs, or none.
    """
    if not path.is_file():
        raise InputNotFoundError(f"There is no file {path.name}.", "Check the path.")
    name = path.name.lower()
    if name.endswith(".json"):
        named = _of_markups(path)
    elif name.endswith(".fcsv"):
        named = _of_fcsv(path)
    else:
        return _of_image(path)
    if not named:
        raise LevelNameError(f"{path.name} has no points.", "Place a point in each disc and name it, as L4-L5.")
    found = []
    for label, position in named:
        what = structure_of_name(label)
        if what is None or what[0] is not Kind.DISC:
            raise LevelNameError(
                f"{path.name} has a point that is not named after a disc: '{label}'.", "Name points as L4-L5."
            )
        found.append(DiscPoint(what[1], (position[0], position[1], position[2])))
    return tuple(found)


def lowest_disc_by_points(segmentation: SpineSegmentation, points: Sequence[DiscPoint]) -> tuple[str, list[str]]:
    """Name of the lowest disc of a segmentation by the points in or behind its discs; warnings about other points.

    :raises LevelNameError: no point is at a disc, or points contradict each other.
    """
    discs = segmentation.of_kind(Kind.DISC)
    found: dict[str, str] = {}
    beside = []
    nearest = _nearest_discs(segmentation, [point.position for point in points]) if discs else [None] * len(points)
    for point, level in zip(points, nearest, strict=True):
        if level is None:
            beside.append(point.disc)
        elif found.setdefault(level, point.disc) != point.disc:
            raise LevelNameError(
                f"Disc points contradict each other: {found[level]} and {point.disc} are at the same disc.",
                "Correct the points.",
            )
    if not found:
        raise LevelNameError(
            "None of the disc points is at a disc that was found.", "Check that they belong to this image."
        )
    lowest = lowest_disc_of(segmentation, [Anchor(Kind.DISC, *pair) for pair in found.items()], "Disc points")
    return lowest, [f"No disc was found at these disc points: {', '.join(beside)}."] if beside else []


def named_by_points(
    name: Callable[[str | None], SpineSegmentation], points: Sequence[DiscPoint], lowest_disc: str | None
) -> SpineSegmentation:
    """Name the levels of a segmentation by disc points, if there are any.

    :param name: makes the segmentation, given the name of its lowest disc.
    :param lowest_disc: the user's name of the lowest disc, which must not contradict the points.
    :raises LevelNameError: no point is at a disc, or points contradict each other or `lowest_disc`.
    """
    segmentation = name(lowest_disc)
    if not points:
        return segmentation
    lowest, warnings = lowest_disc_by_points(segmentation, points)
    if lowest_disc is not None and parse_disc(lowest_disc) != parse_disc(lowest):
        raise LevelNameError(
            f"The disc points name the lowest disc {lowest}, not {lowest_disc}.", "Leave out one of the two."
        )
    if lowest_disc is None:
        again = name(lowest)
        # If that disc was not found, `name` gave its name to another one.
        named = {disc.level for disc in again.of_kind(Kind.DISC)} >= {lowest}
        segmentation = again if named else rename(segmentation, lowest)
    return replace(segmentation, warnings=(*segmentation.warnings, *warnings))


def _nearest_discs(segmentation: SpineSegmentation, points: Sequence[tuple[float, float, float]]) -> list[str | None]:
    """Level of the disc that each point belongs to."""
    discs = segmentation.of_kind(Kind.DISC)
    voxels = [apply_affine(segmentation.affine, np.argwhere(segmentation.mask(disc))) for disc in discs]
    centres = np.array([each.mean(axis=0) for each in voxels])
    steps = np.linalg.norm(np.diff(centres, axis=0), axis=1)
    level = float(np.median(steps)) if len(steps) else _USUAL_LEVEL_MM
    along = np.gradient(centres, axis=0) if len(centres) > 1 else np.array([[0.0, 0.0, 1.0]])
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    trees = [cKDTree(each) for each in voxels]
    found: list[str | None] = []
    for point in np.array(points):
        distances = np.array([tree.query(point)[0] for tree in trees])
        best = int(distances.argmin())
        height = abs(float((point - centres[best]) @ along[best]))
        near = distances[best] <= _FARTHEST_MM and height <= _PART_OF_LEVEL * level
        found.append(discs[best].level if near else None)
    return found


def _of_image(path: Path) -> tuple[DiscPoint, ...]:
    volume = read_volume(path)
    numbers = np.rint(volume.array)
    values = sorted({int(v) for v in np.unique(numbers[np.isfinite(numbers)])} - {0, *_NO_DISC})
    strange = [value for value in values if value not in DISC_OF_NUMBER]
    if strange:
        raise LevelNameError(
            f"{path.name} has values that are not numbers of discs: {', '.join(map(str, strange[:5]))}.",
            "C2-C3 is 3, C7-T1 8, T12-L1 20, L5-S1 25.",
        )
    found = []
    for value in values:
        places = apply_affine(volume.affine, np.argwhere(numbers == value))
        if np.ptp(places, axis=0).max() > _POINT_MM:
            raise UnreadableInputError(
                f"{path.name} has whole structures, not points: value {value} is larger than {_POINT_MM:g} mm.",
                "Give a label map with --labels; disc points are single voxels.",
            )
        x, y, z = places.mean(axis=0)
        found.append(DiscPoint(DISC_OF_NUMBER[value], (float(x), float(y), float(z))))
    if not found:
        raise LevelNameError(f"{path.name} has no disc points.", "C2-C3 is 3, C7-T1 8, T12-L1 20, L5-S1 25.")
    return tuple(found)


def _of_markups(path: Path) -> list[tuple[str, list[float]]]:
    """Label and RAS position of every point of a markups file."""
    damaged = UnreadableInputError(f"{path.name} is not a markups file of 3D Slicer.", "Save the points again.")
    content = json_object(path)
    found = []
    try:
        for markup in (content or {})["markups"]:
            signs = _signs(str(markup.get("coordinateSystem", "LPS")))
            for point in markup.get("controlPoints", ()):
                if point.get("positionStatus", "defined") == "defined":
                    place = [float(x) * sign for x, sign in zip(point["position"], signs, strict=True)]
                    found.append((str(point.get("label", "")), place))
    except (KeyError, TypeError, ValueError, AttributeError, json.JSONDecodeError) as error:
        raise damaged from error
    return found


def _of_fcsv(path: Path) -> list[tuple[str, list[float]]]:
    """Label and RAS position of every point of the older form: columns id, x, y, z, ow..oz, vis, sel, lock, label."""
    signs, columns = _signs("RAS"), ["id", "x", "y", "z", *("ow", "ox", "oy", "oz", "vis", "sel", "lock"), "label"]
    found = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        for line in lines:
            key, _, value = line.lstrip("# ").partition("=")
            if line.startswith("#") and key.strip() == "CoordinateSystem":
                signs = _signs(value.strip())
            elif line.startswith("#") and key.strip() == "columns":
                columns = [column.strip() for column in value.split(",")]
        for row in csv.reader(line for line in lines if line and not line.startswith("#")):
            point = dict(zip(columns, row, strict=False))
            place = [float(point[axis]) * sign for axis, sign in zip("xyz", signs, strict=True)]
            found.append((point["label"], place))
    except (KeyError, ValueError) as error:
        raise UnreadableInputError(
            f"{path.name} is not a list of points of 3D Slicer.", "Save the points again."
        ) from error
    return found


def _signs(system: str) -> tuple[int, int, int]:
    """Signs that turn a position into RAS. Slicer wrote 0 for RAS and 1 for LPS."""
    return (-1, -1, 1) if system.upper() in ("LPS", "1") else (1, 1, 1)
