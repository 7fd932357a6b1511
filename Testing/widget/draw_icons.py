"""Draws the icons of the module: ``python Testing/widget/draw_icons.py``. Needs PySide6; the PNG files are kept."""

from __future__ import annotations

import os
from pathlib import Path

ICONS = Path(__file__).resolve().parents[2] / "SpineMeasure" / "Resources" / "Icons"

#: Bodies, discs and the posterior wall of a lumbar spine seen from the side, with one disc measured.
_BODIES = ((40, 10, -9), (35, 40, -3), (34, 71, 4), (39, 102, 12))
_DISCS = ((39, 32, -6), (36, 63, 1), (38, 94, 9))


def _block(x: float, y: float, width: float, height: float, turn: float, colour: str, radius: float) -> str:
    middle = f"{x + width / 2} {y + height / 2}"
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="{radius}" fill="{colour}" '
        f'stroke="#5b4a3a" stroke-width="2" transform="rotate({turn} {middle})"/>'
    )


def module_icon() -> str:
    """The spine with a double arrow across a disc."""
    bodies = "".join(_block(x, y, 44, 20, turn, "#ecc98f", 5) for x, y, turn in _BODIES)
    discs = "".join(_block(x, y, 42, 8, turn, "#58b98b", 4) for x, y, turn in _DISCS)
    canal = '<path d="M100 4 C 88 40, 88 78, 108 124" fill="none" stroke="#4aa8e0" stroke-width="11"/>'
    arrow = (
        '<g stroke="#d0342c" stroke-width="4" fill="#d0342c" stroke-linejoin="round"><path d="M4 58 H34 M4 75 H34" '
        'fill="none"/><path d="M16 36 V52 M16 97 V81" fill="none"/>'
        '<path d="M11 49 h10 l-5 8 z M11 84 h10 l-5 -8 z"/></g>'
    )
    return canal + bodies + discs + arrow


#: Told apart by shape as well as by colour.
STATUS = {
    "automatic": '<circle cx="64" cy="64" r="36" fill="none" stroke="#7a8794" stroke-width="14"/>',
    "edited": (
        '<path d="M24 104 l8 -28 l52 -52 l20 20 l-52 52 z" fill="#8e44ad" stroke="#ffffff" stroke-width="6" '
        'stroke-linejoin="round"/>'
    ),
    "flagged": (
        '<path d="M64 16 L118 108 H10 Z" fill="#f2a900" stroke="#8a5f00" stroke-width="6" stroke-linejoin="round"/>'
        '<path d="M64 46 V78 M64 88 V98" stroke="#3a2a00" stroke-width="11"/>'
    ),
    "accepted": '<path d="M22 68 L52 98 L108 32" fill="none" stroke="#2e9e4f" stroke-width="20"/>',
}


def draw(name: str, shapes: str, size: int) -> None:
    """Write one icon as PNG with a transparent background."""
    from PySide6.QtCore import QByteArray
    from PySide6.QtGui import QImage, QPainter
    from PySide6.QtSvg import QSvgRenderer

    svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 128 128">{shapes}</svg>'
    image = QImage(size, size, QImage.Format.Format_ARGB32)
    image.fill(0)
    painter = QPainter(image)
    QSvgRenderer(QByteArray(svg.encode())).render(painter)
    painter.end()
    image.save(str(ICONS / f"{name}.png"))


if __name__ == "__main__":
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtGui import QGuiApplication

    application = QGuiApplication([])
    draw("SpineMeasure", module_icon(), 128)
    for status, shapes in STATUS.items():
        draw(status, shapes, 32)
