"""Pictures of the report: image planes as PNG, with lines and numbers drawn over them as SVG."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...anatomy import Kind, colour_of
from ...measure.definitions import definition
from ...measure.types import Measurement, Plane
from ...measure.units import number
from ...orientation import apply_inverse
from ...segmentation import SpineSegmentation, Structure
from ...volume import Volume
from ..reformat import STEP_MM, reformat

Array = NDArray[np.float64]
Grey = tuple[float, float]

_PIXEL_MM = 0.3
#: Window of a level's picture: mm in front of, behind, and above and below the disc's centroid.
_FRONT_MM, _BEHIND_MM, _HALF_HEIGHT_MM = 28.0, 49.0, 26.0
_DISC_LINE, _CANAL_LINE, _DEPTH_LINE = "#ffd94a", "#5cd6ff", "#ffffff"
#: Colour of a line, and position of its number, by its group.
_LOOKS = {"Disc": (_DISC_LINE, "above"), "Canal and cord": (_CANAL_LINE, "behind")}
#: Signal percentiles of the labelled spine that become black and white.
_BLACK, _WHITE = 1.0, 99.5
#: Width of a digit of a number in a level's picture.
_DIGIT_MM = 2.2
#: Where between voxels a mask ends.
_HALF = 0.5


@dataclass(frozen=True)
class _Sheet:
    """Position of a picture: x runs to posterior, y to inferior, both in mm from the upper left corner."""

    origin: Array
    x_axis: Array
    y_axis: Array
    width: float
    height: float

    def place(self, point: Sequence[float]) -> tuple[float, float]:
        """Return a point (RAS mm), projected."""
        offset = np.asarray(point, float) - self.origin
        return float(offset @ self.x_axis), float(offset @ self.y_axis)


def grey_window(volume: Volume, segmentation: SpineSegmentation) -> Grey:
    """Return the signal that becomes black and white: the same for all pictures of a case."""
    values = volume.array[ndimage.binary_dilation(segmentation.labels > 0, iterations=3)]
    low, high = np.percentile(values, (_BLACK, _WHITE))
    return float(low), float(high)


def level_picture(
    volume: Volume, segmentation: SpineSegmentation, plane: Plane, measurements: Sequence[Measurement], grey: Grey
) -> str:
    """Return a disc in its own sagittal measuring plane, anterior on the left, as an SVG element.

    :param plane: x axis anterior, y axis superior (RAS mm).
    :param measurements: rows of the level; its lines are projected into the plane and labelled in mm.
    """
    anterior, superior = np.array(plane.x_axis), np.array(plane.y_axis)
    corner = np.array(plane.origin) + _FRONT_MM * anterior + _HALF_HEIGHT_MM * superior
    sheet = _Sheet(corner, -anterior, -superior, _FRONT_MM + _BEHIND_MM, 2 * _HALF_HEIGHT_MM)
    steps_x = np.arange(_PIXEL_MM / 2, sheet.width, _PIXEL_MM)
    steps_y = np.arange(_PIXEL_MM / 2, sheet.height, _PIXEL_MM)
    points = corner + steps_y[:, None, None] * sheet.y_axis + steps_x[None, :, None] * sheet.x_axis
    index = apply_inverse(volume.affine, points)
    places = np.moveaxis(index, -1, 0)
    image, places = _cut_out(volume.array, places)
    labels, _ = _cut_out(segmentation.labels, np.moveaxis(index, -1, 0))
    pixels = _grey(ndimage.map_coordinates(image.astype(np.float32), places, order=1), grey)
    for s in _outlined(segmentation, np.unique(labels)):
        inside = ndimage.map_coordinates((labels == s.value).astype(np.float32), places, order=1) >= _HALF
        _outline(pixels, inside, s)
    drawn = []
    for m, (colour, where) in _lines(measurements):
        assert m.p1 and m.p2
        text = number(m.value, m.unit)
        drawn.append(_line(sheet.place(m.p1), sheet.place(m.p2), colour, text, where, sheet.width))
    return _svg(sheet.width, sheet.height, pixels, drawn)


def spine_picture(
    volume: Volume, segmentation: SpineSegmentation, measurements: Sequence[Measurement], grey: Grey
) -> str:
    """Draw the whole spine in a sagittal plane that follows it, anterior on the left, with names and lines, as SVG."""
    picture = reformat(volume, segmentation)
    front, top = picture.extent[1], picture.extent[3]
    pixels = _grey(picture.image[::-1, ::-1], grey)
    labels = picture.labels[::-1, ::-1]
    for s in _outlined(segmentation, np.unique(labels)):
        _outline(pixels, labels == s.value, s)
    drawn = []
    for m, (colour, where) in _lines(measurements):
        if where != "front":
            ends = [(front - p[1], top - p[2]) for p in (m.p1, m.p2) if p]
            drawn.append(_line(ends[0], ends[1], colour))
    for s in segmentation.of_kind(Kind.BODY) + segmentation.of_kind(Kind.SACRUM):
        mask = labels == s.value
        if mask.any():
            y, x = ndimage.center_of_mass(mask)
            drawn.append(_text(x * STEP_MM, y * STEP_MM + 3.0, s.level, "#ffffff", "middle", 8.5))
    height, width = pixels.shape[:2]
    return _svg(width * STEP_MM, height * STEP_MM, pixels, drawn)


def _lines(measurements: Sequence[Measurement]) -> list[tuple[Measurement, tuple[str, str]]]:
    """Return the editable lines of discs that have a value, with their looks; AP depth first, under the others."""
    found = []
    for m in measurements:
        what = definition(m.quantity, m.method, m.level)
        if what.at == "disc" and what.editable and not m.second and m.p1 and m.p2 and m.value is not None:
            is_depth = m.quantity == "disc_depth"
            found.append((m, (_DEPTH_LINE, "front") if is_depth else _LOOKS[what.group]))
    return sorted(found, key=lambda line: line[1][1] != "front")


def _grey(image: Array, window: Grey) -> NDArray[np.uint8]:
    scaled = np.clip((image - window[0]) / max(window[1] - window[0], 1e-6), 0, 1) * 255
    return np.repeat(scaled.astype(np.uint8)[..., None], 3, axis=2)


def _cut_out(array: NDArray[Any], places: Array) -> tuple[NDArray[Any], Array]:
    """Return the part of an array[i,j,k] around some places (3, ...) in it, and the places in that part."""
    spans = [
        (int(np.clip(p.min() - 1, 0, n - 1)), int(np.clip(p.max() + 2, 1, n)))
        for p, n in zip(places, array.shape, strict=True)
    ]
    part = array[tuple(slice(first, max(last, first + 1)) for first, last in spans)]
    return part, places - np.array([first for first, _ in spans]).reshape(3, *(1,) * (places.ndim - 1))


def _outlined(segmentation: SpineSegmentation, present: NDArray[Any]) -> list[Structure]:
    return [s for s in segmentation.structures if s.value in present and s.kind is not Kind.POSTERIOR]


def _outline(pixels: NDArray[np.uint8], inside: NDArray[np.bool_], structure: Structure) -> None:
    """Draw a border, one pixel wide, into a picture."""
    pixels[inside & ~ndimage.binary_erosion(inside)] = colour_of(structure.kind, structure.level)


def _line(
    a: tuple[float, float], b: tuple[float, float], colour: str, text: str = "", where: str = "", width_mm: float = 0.0
) -> str:
    """Return a line with its number in front of it, above or behind, inside a picture of some width."""
    dashes = ' stroke-dasharray="1.2 1"' if where == "front" else ""
    width = 0.35 if where == "front" else 0.6
    drawn = (
        f'<line x1="{a[0]:.2f}" y1="{a[1]:.2f}" x2="{b[0]:.2f}" y2="{b[1]:.2f}" stroke="{colour}" '
        f'stroke-width="{width}"{dashes}/>'
    )
    if not text:
        return drawn
    if where == "above":
        x, y = min((a, b), key=lambda p: p[1])
        return drawn + _text(x, y - 1.4, text, colour, "middle")
    x, y = min((a, b)) if where == "front" else max((a, b))
    length = _DIGIT_MM * len(text)
    if where == "front":
        return drawn + _text(max(x - 1.2, length), y + 1.2, text, colour, "end")
    return drawn + _text(min(x + 1.6, width_mm - length), y + 1.2, text, colour, "start")


def _text(x: float, y: float, text: str, colour: str, anchor: str, size: float = 3.6) -> str:
    return (
        f'<text x="{x:.2f}" y="{y:.2f}" font-size="{size}" font-weight="700" text-anchor="{anchor}" fill="{colour}" '
        f'stroke="#000" stroke-width="{size / 5:.2f}" paint-order="stroke">{escape(text)}</text>'
    )


def _svg(width: float, height: float, pixels: NDArray[np.uint8], drawn: Sequence[str]) -> str:
    data = base64.b64encode(png(pixels)).decode("ascii")
    size = f'width="{width:.2f}" height="{height:.2f}"'
    image = f'<image {size} preserveAspectRatio="none" href="data:image/png;base64,{data}"/>'
    return f'<svg viewBox="0 0 {width:.2f} {height:.2f}" role="img">{image}{"".join(drawn)}</svg>'


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Return the RGB array [row, column, 3] as a PNG file (ISO/IEC 15948)."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    height, width = pixels.shape[:2]
    rows = np.zeros((height, 1 + 3 * width), np.uint8)  # each row begins with its filter, 0
    rows[:, 1:] = pixels.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(rows.tobytes(), 6)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
