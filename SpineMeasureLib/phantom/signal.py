"""MRI images of spines of closed-form shape, on the voxels of their label map.

Tissues are layers with exact boundaries: marrow fills a body; a dark bony endplate covers it and takes its thickness
from the disc's space; cortex, annulus and dura are dark shells outside body, disc and sac. The marrow therefore ends on
the plane between two elements and CSF on the wall of the canal; `edge_truth` has their distances. Voxels are integrals:
a box profile through the slice and a Gaussian point-spread function in its plane.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..anatomy import Kind
from ..orientation import from_matvec
from ..segmentation import SpineSegmentation
from ..volume import Volume
from .elements import Canal, Element, Spine
from .geometry import Array
from .voxels import swept

#: float32, of a slice or of a part of it.
Plane = NDArray[Any]
#: Coordinates (v, u, s) of samples in an element, and their distance inside its planes, mm.
_Local = tuple[Plane, Plane, Plane, Plane]

#: Full width at half maximum of a Gaussian, in standard deviations.
FWHM = 2 * sqrt(2 * log(2))
#: Fat reaches this far behind the dura (mm); muscle is beyond.
_FAT_BEHIND_MM = 4.0
#: Roots fill the sac from its posterior wall to this part of half its AP diameter.
_ROOTS = 0.8
#: How far (mm) the canal, which is bent, is at most in front of its place in the mid-plane of an element.
_SWEPT_MM = 5.0


@dataclass(frozen=True)
class Signal:
    """Signal of each tissue, in any unit, and thickness of the dark layers in mm.

    :ivar roots: the posterior part of the sac, where roots of the cauda equina gather; None for CSF alone.
    :ivar plate_mm: bony endplate, inside the disc's space.
    :ivar cortex_mm: cortex and ligament outside the wall of a body.
    :ivar annulus_mm: outer annulus and ligament outside the wall of a disc.
    :ivar dura_mm: dura and ligament outside the sac.
    """

    marrow: float
    disc: float
    csf: float
    fat: float
    muscle: float
    cord: float
    bone: float
    annulus: float
    dura: float
    roots: float | None = None
    plate_mm: float = 1.0
    cortex_mm: float = 1.0
    annulus_mm: float = 2.0
    dura_mm: float = 1.0


#: T2 with a healthy, bright disc, with a disc of medium signal, and with a degenerated, dark disc.
T2 = Signal(360, 520, 950, 720, 150, 420, 50, 90, 60)
T2_MEDIUM_DISC = Signal(360, 300, 950, 720, 150, 420, 50, 90, 60)
T2_DARK_DISC = Signal(360, 110, 950, 720, 150, 420, 50, 90, 60)
T1 = Signal(500, 290, 140, 850, 300, 320, 50, 120, 100)
#: Fat-suppressed: STIR, or the water image of a Dixon series.
WATER = Signal(150, 520, 950, 60, 220, 380, 40, 120, 60)


@dataclass(frozen=True)
class Scan:
    """How the image is made.

    :ivar fwhm_mm: width of the point-spread function in the plane of the slices; None for one pixel.
    :ivar snr: signal of marrow divided by the standard deviation of the noise (Rician); None without noise.
    :ivar bias: largest relative change of signal by the smooth bias field, e.g. 0.3.
    :ivar seed: of noise and bias field.
    """

    fwhm_mm: float | None = None
    snr: float | None = None
    bias: float = 0.0
    seed: int = 0


def render(spine: Spine, on: SpineSegmentation | Volume, signal: Signal = T2, scan: Scan | None = None) -> Volume:
    """Make the image of a spine on the voxels of a label map or image.

    The slices are perpendicular to the array axis with the widest spacing, the first one if all are equal.

    >>> from SpineMeasureLib.phantom import Grid, lumbar, voxelise
    >>> spine = lumbar("L5", "L4")
    >>> segmentation = voxelise(spine, Grid((8.0, 2.0, 2.0)))
    >>> render(spine, segmentation).array.shape == segmentation.labels.shape
    True

    :return: float32 array[i,j,k] in the unit of `signal`.
    """
    scan = scan or Scan()
    labels = on.as_volume() if isinstance(on, SpineSegmentation) else on
    axis = int(np.argmax(np.round(labels.spacing, 3)))
    order = [axis, *(n for n in range(3) if n != axis)]
    affine = labels.affine[:, [*order, 3]]
    shape = tuple(labels.array.shape[n] for n in order)
    thickness, *pixel = (labels.spacing[n] for n in order)
    fwhm = scan.fwhm_mm or sum(pixel) / 2
    rows, columns = (_Axis.of(size, spacing, fwhm) for size, spacing in zip(shape[1:], pixel, strict=True))
    parts = ceil(thickness / fwhm)
    image = np.empty(shape, np.float32)
    steps = (rows.step_mm + columns.step_mm) / 2, thickness / parts
    painter = _Painter(spine, tuple(spine.frames()), signal, affine, rows.places, columns.places, steps)
    for k in range(shape[0]):
        planes = [painter.plane(k + (n + 0.5) / parts - 0.5) for n in range(parts)]
        image[k] = rows.blur @ (sum(planes) / np.float32(parts)) @ columns.blur.T
    image = np.ascontiguousarray(image.transpose(np.argsort(order)))
    return Volume(_degraded(image, labels.spacing, signal.marrow, scan), labels.affine)


@dataclass(frozen=True)
class _Axis:
    """Fine samples along one axis of a slice, and the matrix [pixels, samples] that blurs them to pixels."""

    places: Array
    step_mm: float
    blur: Plane

    @staticmethod
    def of(size: int, spacing: float, fwhm: float) -> _Axis:
        parts = max(2, ceil(2 * spacing / fwhm))
        margin = ceil(2 * fwhm / spacing)
        places = (np.arange(-margin * parts, (size + margin) * parts) + 0.5) / parts - 0.5
        step = spacing / parts
        # A boundary is spread over one step (`_share`), which is a part of the blur.
        sigma = sqrt((fwhm / FWHM) ** 2 - step**2 / 12)
        weights = np.exp(-0.5 * ((np.arange(size)[:, None] - places) * spacing / sigma) ** 2)
        return _Axis(places, step, (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32))


@dataclass(frozen=True)
class _Painter:
    """Signal of a spine at the fine samples of any plane across the first axis.

    :ivar step_mm: between samples in a plane, and between planes.
    """

    spine: Spine
    frames: tuple[Array, ...]
    signal: Signal
    affine: Array
    rows: Array
    columns: Array
    step_mm: tuple[float, float]

    def plane(self, place: float) -> Plane:
        """Return the signal [rows, columns] of the plane at an index, which may be between two slices."""
        plane = np.full((len(self.rows), len(self.columns)), self.signal.fat, np.float32)
        pieces = [(e, f, self._piece(f, e, place)) for e, f in zip(self.spine.elements, self.frames, strict=True)]
        seen = [(element, frame, *piece) for element, frame, piece in pieces if piece is not None]
        for element, _, box, local in seen:
            self._canal(plane[box], element, local)
        for wanted in (True, False):  # bodies with their endplates over discs
            for element, frame, box, local in seen:
                if (element.kind is Kind.DISC) == wanted:
                    self._column(plane[box], element, frame, local)
        return plane

    def _piece(self, frame: Array, element: Element, place: float) -> tuple[tuple[slice, slice], _Local] | None:
        """Return the box of the plane that an element with its piece of canal is in, and where its samples are."""
        m = np.linalg.inv(frame) @ self.affine
        start = m[:3, 0] * place + m[:3, 3]
        low, high = _bounds(element, self.spine.canal, self.signal)
        centre, half = (low + high) / 2, (high - low) / 2
        # Exact bounds of the box cut by the plane would be tighter; those of the whole box suffice.
        to_index = from_matvec(np.linalg.inv(m[:3, :3]))[:3, :3]
        middle = to_index @ (centre - m[:3, 3])
        reach = np.abs(to_index) @ half
        if abs(middle[0] - place) > reach[0]:
            return None
        box = []
        for n, places in ((1, self.rows), (2, self.columns)):
            first, last = np.searchsorted(places, (middle[n] - reach[n], middle[n] + reach[n]))
            box.append(slice(int(first), int(last)))
        rows, columns = self.rows[box[0], None], self.columns[None, box[1]]
        if not rows.size or not columns.size:
            return None
        v, u, s = ((start[n] + m[n, 1] * rows + m[n, 2] * columns).astype(np.float32) for n in range(3))
        return (box[0], box[1]), (v, u, s, element.between(v, u, s))

    def _layer(self, plane: Plane, share: Plane, value: float) -> None:
        """Paint `value` over a part, given by its share of each sample (not yet clipped to 0 .. 1), in place."""
        plane += np.clip(share, 0, 1) * (np.float32(value) - plane)

    def _share(self, distance: Plane, step_mm: float | None = None) -> Plane:
        """Return how much of a sample is inside a boundary at a distance in mm; it is spread over one step."""
        share: Plane = distance / np.float32(step_mm or self.step_mm[0]) + np.float32(0.5)
        return share

    def _column(self, plane: Plane, element: Element, frame: Array, local: _Local) -> None:
        look, (v, u, _, between) = self.signal, local
        margin = max(look.plate_mm, look.cortex_mm, look.annulus_mm) + 1
        near = (between > -margin) & (np.abs(u) < element.half_depth + margin)
        between, within, painted = between[near], element.within(v[near], u[near]), plane[near]
        across = float(frame[:3, 2] @ self.affine[:3, 0]) / float(np.linalg.norm(self.affine[:3, 0]))
        step = float(np.hypot(self.step_mm[0] * sqrt(max(0, 1 - across**2)), self.step_mm[1] * across))
        if element.kind is Kind.DISC:
            # Under the bodies' endplates, so that nothing else shines through at the planes.
            ends = self._share(between + look.plate_mm / 2, step)
            self._layer(painted, np.minimum(ends, self._share(within + look.annulus_mm)), look.annulus)
            self._layer(painted, np.minimum(ends, self._share(within)), look.disc)
        else:
            shell = np.minimum(self._share(between + look.plate_mm, step), self._share(within + look.cortex_mm))
            self._layer(painted, shell, look.bone)
            self._layer(painted, np.minimum(self._share(between, step), self._share(within)), look.marrow)
        plane[near] = painted

    def _canal(self, plane: Plane, element: Element, local: _Local) -> None:
        look, canal, (v, u, s, between) = self.signal, self.spine.canal, local
        near = (between >= 0) & (u < canal.half_ap + look.dura_mm + _SWEPT_MM - canal.behind)
        v, u = swept(element, v[near], u[near], s[near])
        u = u + np.float32(canal.behind)
        whole = Canal(half_ap=canal.half_ap, half_width=canal.half_width)
        sac, painted = self._share(canal.within(u, v)), plane[near]
        self._layer(painted, self._share(-(u + canal.half_ap + look.dura_mm + _FAT_BEHIND_MM)), look.muscle)
        self._layer(painted, self._share(whole.within(u, v) + look.dura_mm), look.dura)
        self._layer(painted, sac, look.csf)
        if look.roots is not None:
            behind = self._share(_ROOTS * canal.half_ap - canal.half_ap - u)
            self._layer(painted, np.minimum(sac, behind), look.roots)
        if canal.cord[0] > 0:
            cord = Canal(half_ap=canal.cord[0], half_width=canal.cord[1])
            self._layer(painted, self._share(cord.within(u, v)), look.cord)
        plane[near] = painted


def _bounds(element: Element, canal: Canal, signal: Signal) -> tuple[Array, Array]:
    """Return the lowest and highest (v, u, s) that an element and its piece of the canal reach, with their layers."""
    margin = 1 + max(signal.plate_mm, signal.cortex_mm, signal.annulus_mm, signal.dura_mm)
    back = canal.behind + canal.half_ap + _FAT_BEHIND_MM + 20
    side = max(element.half_width, canal.half_width) + margin
    rise = element.height / 2 + abs(element.slope) * max(back, side) + margin
    return np.array([-side, -back, -rise]), np.array([side, element.half_depth + margin, rise])


def _degraded(image: Plane, spacing: tuple[float, float, float], marrow: float, scan: Scan) -> Plane:
    """Return the image with its bias field and noise."""
    rng = np.random.default_rng(scan.seed)
    if scan.bias:
        image = image * (1 + np.float32(scan.bias) * _smooth_field(image.shape, spacing, rng))
    if scan.snr is not None:
        real, imaginary = (rng.normal(0, marrow / scan.snr, image.shape).astype(np.float32) for _ in range(2))
        image = np.hypot(image + real, imaginary)
    return image.astype(np.float32)


def _smooth_field(shape: tuple[int, ...], spacing: tuple[float, float, float], rng: np.random.Generator) -> Plane:
    """Return a field from -1 to 1 that changes over some 60 mm and more: a sum of plane waves."""
    places = np.meshgrid(*(np.arange(n) * d for n, d in zip(shape, spacing, strict=True)), indexing="ij", sparse=True)
    field = np.zeros(shape, np.float32)
    for _ in range(4):
        direction = rng.normal(size=3)
        direction *= 2 * np.pi / rng.uniform(120, 240) / np.linalg.norm(direction)
        phase = sum(w * p for w, p in zip(direction, places, strict=True)) + rng.uniform(0, 2 * np.pi)
        field += np.cos(phase).astype(np.float32)
    field -= (field.max() + field.min()) / 2
    return field / np.abs(field).max()
