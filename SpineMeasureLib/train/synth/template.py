"""A whole straightened spine, C1 to sacrum: the anatomy from which synthetic cases are deformed.

It is built from the open anatomy beside the training data: meshes of C1-C7 and their discs, a CT label map of T1-L5
with its vertebral subregions, a mesh of the sacrum. Coordinates of a straightened spine are (l, a, s) in mm: l to the
right and a forward of the line through the middles of the vertebral bodies, s along that line, upward.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.interpolate import CubicSpline, PchipInterpolator

from ...anatomy import USUAL_ORDER, Tissue
from ...errors import InputNotFoundError
from ...io.read import read_volume
from ...orientation import apply_affine, apply_inverse

Array = NDArray[np.float64]

STEP_MM = 0.8
#: Extent of the template to the right and left, and backward and forward, of the line through the bodies.
SIDE_MM, BACK_MM, FRONT_MM = 46.0, 84.0, 30.0

#: Values of the T1-L5 label map: vertebral body and its border among the subregions.
_CT_BODY = (49, 50)
_CT_T1 = 8

#: (forward, up) in mm on the mesh of the sacrum: middles of its bodies in the midline, ending on the upper endplate.
_SACRAL_LINE = ((-88, -95), (-84, -72), (-68, -50), (-48, -33), (-29, -20), (-12, -10), (3, 3))
#: Angle of the spine at the lumbosacral joint (degrees), between the two sources.
_LUMBOSACRAL_TURN_DEG = -16.0

#: Sagittal and transverse diameter (mm) of the dural sac and of the cord, by level, typical of healthy adults:
#: sac after Ulbrich et al., Radiology 2014 (cervical) and Chazono et al., 2011 (lumbar, rounded); cord after Frostell
#: et al., Front Neurol 2016. The synthetic spines vary around these values.
_SAC_MM: dict[str, tuple[float, float]] = {
    "C1": (15, 24), "C2": (13.5, 22), "C4": (11.8, 21), "C7": (12, 20), "T3": (11.5, 15),
    "T9": (12, 15), "L1": (15, 19), "L4": (14, 18), "L5": (12.5, 16), "S1": (9, 13),
}  # fmt: skip
_CORD_MM: dict[str, tuple[float, float]] = {
    "C1": (8, 11), "C3": (7.5, 12), "C5": (7, 13.5), "C7": (6.8, 12),
    "T3": (6.2, 8.5), "T9": (6.2, 8), "T11": (7.5, 9), "T12": (7, 8),
}  # fmt: skip


@dataclass(frozen=True)
class Template:
    """Straightened spine.

    :ivar tissue: `Tissue` of each voxel [l, a, s].
    :ivar level: index into `anatomy.USUAL_ORDER` of the vertebra, or of the vertebra above a disc [l, a, s].
    :ivar origin: (l, a, s) mm of voxel 0, 0, 0; voxels are `STEP_MM` apart.
    :ivar centres: s (mm) of the middle of each vertebral body, by `USUAL_ORDER`.
    :ivar tops: s of the upper and of the lower (`bottoms`) end of each body on the line.
    :ivar kyphosis: degrees by which the line turns forward per mm upward, at `stations`.
    """

    tissue: NDArray[np.uint8]
    level: NDArray[np.uint8]
    origin: Array
    centres: Array
    tops: Array
    bottoms: Array
    stations: Array
    kyphosis: Array


@dataclass(frozen=True)
class _Part:
    """Straightened piece of a spine: tissue and level [l, a, s], curvature along it."""

    tissue: NDArray[np.uint8]
    level: NDArray[np.uint8]
    turn: Array


def build_template(anatomy: Path) -> Template:
    """Build the template from the folder that contains `cervical_meshes`, `ct_labelmaps` and `lumbosacral_meshes`.

    :raises InputNotFoundError: the folder does not exist.
    """
    if not (anatomy / "cervical_meshes").is_dir():
        raise InputNotFoundError(
            f"There is no anatomy in {anatomy}.", "Specify the folder that contains the training sets."
        )
    parts = [_sacrum(anatomy), _trunk(anatomy), _neck(anatomy)]
    tissue = np.concatenate([p.tissue for p in parts], axis=2)
    level = np.concatenate([p.level for p in parts], axis=2)
    turn = np.concatenate([p.turn for p in parts])
    joint = parts[0].turn.size
    turn[joint - 8 : joint + 8] += _LUMBOSACRAL_TURN_DEG / (16 * STEP_MM)
    origin = np.array([-SIDE_MM, -BACK_MM, 0.0])
    tissue, level = _smoothed(tissue, level)
    tops, bottoms = _ends(tissue, level)
    _discs(tissue, level, tops, bottoms)
    centres = (tops + bottoms) / 2
    _canal(tissue, level, origin, centres)
    stations: Array = np.arange(tissue.shape[2], dtype=np.float64) * STEP_MM
    return Template(tissue, level, origin, centres, tops, bottoms, stations, ndimage.gaussian_filter1d(turn, 12))


def _grid(length_mm: float) -> tuple[Array, Array, Array]:
    return (
        np.arange(-SIDE_MM, SIDE_MM, STEP_MM),
        np.arange(-BACK_MM, FRONT_MM, STEP_MM),
        np.arange(0, length_mm, STEP_MM),
    )


@dataclass(frozen=True)
class _Line:
    """Smooth sagittal line through the bodies: RAS points by length from its lower end."""

    spline: CubicSpline
    length: float

    @classmethod
    def through(cls, points: Array) -> _Line:
        steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
        s = np.concatenate([[0], np.cumsum(steps)])
        return cls(CubicSpline(s, points), float(s[-1]))

    def straightened(self) -> tuple[Array, Array]:
        """Return the RAS points of a straight grid [l, a, s, 3], and the angle of the line (radians) at each s."""
        side, ahead, s = _grid(self.length)
        centre, tangent = self.spline(s), self.spline(s, 1)
        angle = np.arctan2(tangent[:, 1], tangent[:, 2])
        forward = np.stack([np.zeros_like(s), np.cos(angle), -np.sin(angle)], axis=-1)
        points = centre[None, None] + ahead[None, :, None, None] * forward[None, None]
        points = np.repeat(points, len(side), axis=0)
        points[..., 0] += side[:, None, None]
        return points, angle


def _part(line: _Line, tissue: NDArray[np.uint8], level: NDArray[np.uint8], angle: Array) -> _Part:
    turn = np.degrees(np.gradient(angle, STEP_MM))
    return _Part(tissue, level, turn)


def _trunk(anatomy: Path) -> _Part:
    """Make T1-L5 from the CT label map."""
    folder = anatomy / "ct_labelmaps" / "t1_l5"
    vertebrae = read_volume(folder / "sub-sample001_seg-vert_msk.nii.gz")
    regions = read_volume(folder / "sub-sample001_seg-subreg_msk.nii.gz").array
    values = [_CT_T1 + n for n in range(17)]
    body = np.isin(regions, _CT_BODY)
    centres = np.array(ndimage.center_of_mass(body, np.where(body, vertebrae.array, 0), values))
    points = apply_affine(vertebrae.affine, centres)[::-1]
    points = np.vstack(
        [points[0] - 0.5 * (points[1] - points[0]), points, points[-1] + 0.5 * (points[-1] - points[-2])]
    )
    line = _Line.through(points)
    places, angle = line.straightened()
    index = np.moveaxis(apply_inverse(vertebrae.affine, places), -1, 0)
    value = ndimage.map_coordinates(vertebrae.array.astype(np.uint8), index, order=0)
    region = ndimage.map_coordinates(regions.astype(np.uint8), index, order=0)
    tissue = np.where(np.isin(region, _CT_BODY), Tissue.BODY, Tissue.POSTERIOR).astype(np.uint8)
    tissue[value == 0] = 0
    level = np.where(value > 0, value - _CT_T1 + USUAL_ORDER.index("T1"), 0).astype(np.uint8)
    return _part(line, tissue, level, angle)


def _neck(anatomy: Path) -> _Part:
    """Make C1-C7 from the meshes, from the lower end of C7 to above the dens."""
    folder = anatomy / "cervical_meshes"
    meshes = [_mesh(folder / f"c{n}.obj", np.array([1.0, -1.0, 1.0])) for n in range(1, 8)]
    midline = []
    for faces in meshes[1:][::-1]:
        midline.append(_body_middle(faces))
    middle = np.array(midline)
    low = middle[0] - 0.5 * (middle[1] - middle[0])
    up = (middle[-1] - middle[-2]) / np.linalg.norm(middle[-1] - middle[-2])
    line = _Line.through(np.vstack([low, middle, middle[-1] + 16 * up, middle[-1] + 34 * up, middle[-1] + 60 * up]))
    places, angle = line.straightened()
    tissue = np.zeros(places.shape[:3], np.uint8)
    level = np.zeros(places.shape[:3], np.uint8)
    ahead = np.arange(-BACK_MM, FRONT_MM, STEP_MM)
    for n, faces in enumerate(meshes):
        inside = inside_mesh(faces, places)
        tissue[inside], level[inside] = Tissue.POSTERIOR, n
        if n:
            # The body is in front of the canal: half its depth behind the line, less than its width aside.
            half_depth, half_width = (9.5, 10.5) if n < 6 else (10.0, 13.0)
            side = np.abs(np.arange(-SIDE_MM, SIDE_MM, STEP_MM))
            front = (ahead > -half_depth)[None, :, None] & (side < half_width)[:, None, None]
            tissue[inside & front] = Tissue.BODY
    return _part(line, tissue, level, angle)


def _sacrum(anatomy: Path) -> _Part:
    """Make the sacrum along the line through its bodies, without the coccyx."""
    faces = _mesh(anatomy / "lumbosacral_meshes" / "S1.obj", np.array([1000.0, 1000.0, 1000.0]))[..., [1, 0, 2]]
    line = _Line.through(np.array([(0.0, *point) for point in _SACRAL_LINE]))
    places, angle = line.straightened()
    inside = inside_mesh(faces, places)
    tissue = np.where(inside, Tissue.SACRUM, 0).astype(np.uint8)
    level = np.where(inside, USUAL_ORDER.index("S1"), 0).astype(np.uint8)
    return _part(line, tissue, level, angle)


def _mesh(path: Path, scale: Array) -> Array:
    """Read the triangles [n, 3 corners, 3] of an OBJ file."""
    corners, faces = [], []
    for row in path.read_text().splitlines():
        if row.startswith("v "):
            corners.append([float(x) for x in row.split()[1:4]])
        elif row.startswith("f "):
            faces.append([int(x.split("/")[0]) - 1 for x in row.split()[1:4]])
    triangles: Array = (np.array(corners) * scale)[np.array(faces)]
    return triangles


def inside_mesh(faces: Array, points: Array) -> NDArray[np.bool_]:
    """Return whether points of a grid [l, a, s, 3] are inside a closed mesh; l must run along the first coordinate.

    Even-odd rule along lines in that direction.
    """
    lines = points[0].reshape(-1, 3)
    crossings = np.zeros((points.shape[0], len(lines)), np.int32)
    start = points[:, 0, 0, 0]
    low, high = faces[..., 1:].min(axis=1), faces[..., 1:].max(axis=1)
    order = np.argsort(lines[:, 1])
    ahead = lines[order, 1]
    for face, lower, upper in zip(faces, low, high, strict=True):
        near = order[np.searchsorted(ahead, lower[0]) : np.searchsorted(ahead, upper[0], side="right")]
        near = near[(lines[near, 2] >= lower[1]) & (lines[near, 2] <= upper[1])]
        if not len(near):
            continue
        edge = (face[1:, 1:] - face[0, 1:]).T
        if abs(np.linalg.det(edge)) < 1e-9:
            continue
        weight = np.linalg.solve(edge, (lines[near, 1:] - face[0, 1:]).T)
        hit = (weight > 0).all(axis=0) & (weight.sum(axis=0) < 1)
        where = face[0, 0] + weight[:, hit].T @ (face[1:, 0] - face[0, 0])
        first = np.searchsorted(start, where)
        ok = first < len(start)
        np.add.at(crossings, (first[ok], near[hit][ok]), 1)
    odd = np.cumsum(crossings, axis=0) % 2 == 1
    return odd.reshape(points.shape[:3])


def _body_middle(faces: Array) -> Array:
    """Return the middle of a cervical body: the middle of the anterior bone in the midline, over its height."""
    ahead = np.arange(faces[..., 1].min(), faces[..., 1].max(), 0.5)
    up = np.arange(faces[..., 2].min(), faces[..., 2].max(), 0.5)
    inside = inside_mesh(faces, np.stack(np.meshgrid([-1.0, 0.0, 1.0], ahead, up, indexing="ij"), axis=-1))[1]
    pieces, _ = ndimage.label(inside)
    front = np.argwhere(inside)[:, 0].max()
    body = pieces == pieces[front][pieces[front] > 0][0]
    rows, columns = np.nonzero(body & (np.arange(len(ahead)) > front - 44)[:, None])
    return np.array([0.0, ahead[rows].mean(), up[columns].mean()])


def _smoothed(tissue: NDArray[np.uint8], level: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Smooth the stair steps of the sources; levels follow the nearest vertebra."""
    best = np.full(tissue.shape, 0.5, np.float32)
    smooth = np.zeros_like(tissue)
    bone = ndimage.gaussian_filter((tissue > 0).astype(np.float32), (1.6, 0.9, 0.9))
    for value in (Tissue.BODY, Tissue.POSTERIOR, Tissue.SACRUM):
        share = ndimage.gaussian_filter((tissue == value).astype(np.float32), (1.6, 0.9, 0.9))
        better = (bone > 0.5) & (share >= best - 0.5 * (smooth > 0))
        smooth[better & (share > 0.25)] = value
        best = np.maximum(best, share)
    # C1 is level 0: count from one while spreading the levels over what the smoothing added.
    spread = ndimage.grey_dilation(np.where(tissue > 0, level + 1, 0).astype(np.uint8), size=(5, 3, 3))
    own = np.where(tissue > 0, level + 1, spread)
    return smooth, np.where((smooth > 0) & (own > 0), own - 1, 0).astype(np.uint8)


def _ends(tissue: NDArray[np.uint8], level: NDArray[np.uint8]) -> tuple[Array, Array]:
    """Return s of the upper and the lower end of each body near the line."""
    side, ahead = round(SIDE_MM / STEP_MM), round(BACK_MM / STEP_MM)
    core = (slice(side - 4, side + 5), slice(ahead - 4, ahead + 5))
    tops, bottoms = [], []
    for n, name in enumerate(USUAL_ORDER):
        kind = Tissue.SACRUM if name == "S1" else Tissue.BODY
        rows = np.flatnonzero(((tissue[core] == kind) & (level[core] == n)).mean(axis=(0, 1)) > 0.5)
        if name == "C1":  # has no body: use the ends of its ring
            rows = np.flatnonzero(((tissue > 0) & (level == n)).any(axis=(0, 1)))
        tops.append((rows[-1] + 0.5) * STEP_MM)
        bottoms.append((rows[0] - 0.5) * STEP_MM)
    return np.array(tops), np.array(bottoms)


def _discs(tissue: NDArray[np.uint8], level: NDArray[np.uint8], tops: Array, bottoms: Array) -> None:
    """Fill the gaps between neighbouring bodies with discs, in place."""
    for n in range(1, len(USUAL_ORDER) - 1):
        low, high = int(tops[n + 1] / STEP_MM) - 12, int(bottoms[n] / STEP_MM) + 13
        window = (slice(None), slice(None), slice(max(0, low), high))
        kinds, levels = tissue[window], level[window]
        body = np.isin(kinds, (Tissue.BODY, Tissue.SACRUM))
        upper, lower = body & (levels == n), body & (levels == n + 1)
        both = upper.any(axis=2) & lower.any(axis=2)
        both = ndimage.binary_opening(both, iterations=3)
        both = _limited(both, n, upper, lower)
        floor = upper.argmax(axis=2)
        roof = lower.shape[2] - 1 - lower[..., ::-1].argmax(axis=2)
        height = np.arange(kinds.shape[2])
        gap = both[..., None] & (height < floor[..., None]) & (height > roof[..., None])
        gap &= (floor - roof < 16 / STEP_MM)[..., None] & ~body
        kinds[gap], levels[gap] = Tissue.DISC, n


def _limited(both: NDArray[np.bool_], n: int, upper: NDArray[np.bool_], lower: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Limit the disc's outline to the depth of the body above, clear of the back of the sacrum."""
    if USUAL_ORDER[n] != "L5":
        return both
    outline = ndimage.binary_closing(upper.any(axis=2), iterations=3)
    ahead = np.arange(-BACK_MM, FRONT_MM, STEP_MM)
    return both & outline & (ahead > -19)[None, :]


def _canal(tissue: NDArray[np.uint8], level: NDArray[np.uint8], origin: Array, centres: Array) -> None:
    """Put the dural sac behind the bodies and the cord into it, in place."""
    s: Array = np.arange(tissue.shape[2], dtype=np.float64) * STEP_MM
    ahead = origin[1] + np.arange(tissue.shape[1]) * STEP_MM
    side = origin[0] + np.arange(tissue.shape[0]) * STEP_MM
    middle = np.abs(side) < 3
    front = np.isin(tissue[middle], (Tissue.BODY, Tissue.DISC, Tissue.SACRUM))
    wall = np.full(len(s), np.nan)
    sacrum_top = centres[-1]
    for k in range(len(s)):
        rows = np.flatnonzero(front[:, :, k].mean(axis=0) > 0.5)
        rows = rows[(ahead[rows] > -22) & (ahead[rows] < 12)]
        if len(rows):
            wall[k] = ahead[rows[0]]
    arch = np.full(len(s), np.nan)
    bone = (tissue[np.abs(side) < 4] == Tissue.POSTERIOR).any(axis=0)
    for k in range(len(s)):
        rows = np.flatnonzero(bone[:, k] & (ahead < wall[k] - 7))  # none without a wall
        if len(rows):
            arch[k] = ahead[rows[-1]]
    wall, arch = _course(wall, s), _course(arch, s)
    sac, cord = _by_level(_SAC_MM, centres, s), _by_level(_CORD_MM, centres, s)
    room = wall - arch - 2.5
    sac[:, 0] = np.where(s > sacrum_top + 18, np.minimum(sac[:, 0], np.clip(room, 9.0, None)), sac[:, 0])
    place = wall - 1.0 - sac[:, 0] / 2 - 0.25 * np.clip(room - sac[:, 0], 0, 6)
    ring = np.hypot((ahead[None, :, None] - place) / (sac[:, 0] / 2), side[:, None, None] / (sac[:, 1] / 2))
    keep = s > sacrum_top - 12
    inside = (ring < 1) & keep & ~np.isin(tissue, (Tissue.BODY, Tissue.DISC))
    tissue[inside] = Tissue.CANAL
    conus = centres[USUAL_ORDER.index("L1")]
    taper = np.clip((s - conus + 8) / 22, 0, 1)
    core = np.hypot(
        (ahead[None, :, None] - place) / (cord[:, 0] / 2 * taper + 1e-6),
        side[:, None, None] / (cord[:, 1] / 2 * taper + 1e-6),
    )
    tissue[inside & (core < 1)] = Tissue.CORD


def _course(values: Array, s: Array) -> Array:
    """Bridge gaps, and smooth outliers and steps."""
    good = np.isfinite(values)
    bridged = np.interp(s, s[good], values[good])
    smooth: Array = ndimage.gaussian_filter1d(ndimage.median_filter(bridged, 21), 5)
    return smooth


def _by_level(table: dict[str, tuple[float, float]], centres: Array, s: Array) -> Array:
    known = sorted((centres[USUAL_ORDER.index(name)], *size) for name, size in table.items())
    places, *sizes = np.array(known).T
    clipped = np.clip(s, places[0], places[-1])
    return np.stack([PchipInterpolator(places, size)(clipped) for size in sizes], axis=-1)
