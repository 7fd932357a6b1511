"""Picture of the slice views in a review: ``python Testing/mrml/screenshot.py``; it goes to Resources/Screenshots.

Slices, segments, lines and labels are drawn by Slicer's own logic and displayable managers (slicer-core, offscreen).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from slice_view import SliceView

from SpineMeasureLib.io.read import read_volume
from SpineMeasureLib.measure import measure
from SpineMeasureLib.resources import data_path
from SpineMeasureLib.review.mrml.app import mrml_application
from SpineMeasureLib.review.mrml.images import add_volume
from SpineMeasureLib.review.mrml.slices import aim_at, look
from SpineMeasureLib.review.session import Session
from SpineMeasureLib.segment.labels.by_value import segmentation_from_labels

PICTURE = Path(__file__).resolve().parents[2] / "Resources" / "Screenshots" / "slice_views.png"
HEIGHT = 640
#: Layout name (which tells `look` the orientation), width in pixels, field of view in mm.
VIEWS = (("Yellow", 460, 200.0), ("Red", 420, 150.0))
MIDDLE = ("L4-L5", "disc_height_middle", "chord50")
CANAL = ("L4-L5", "canal_ap", "disc_level")


def edited_session(scene: Any) -> Session:
    """The sample in review: one line dragged, one level accepted."""
    folder = data_path("Resources/sample")
    image = read_volume(folder / "lumbar_t2.nii.gz")
    segmentation = segmentation_from_labels(read_volume(folder / "lumbar_t2_labels.nii.gz"))
    volume = add_volume(scene, image, "Sample")
    session = Session.build(scene, volume, segmentation, measure(segmentation), "Sample")
    p1, p2 = (np.array(session.line(MIDDLE).GetNthControlPointPositionWorld(n)) for n in (0, 1))
    session.set_line(MIDDLE, tuple(p1 + 0.2 * (p1 - p2)), tuple(p2))
    session.accept([m.key for m in session.rows if m.level == "L3-L4"], "AB")
    return session


def main() -> None:
    """Draw the picture."""
    application = mrml_application()
    session = edited_session(application.scene)
    shown = []
    for (layout_name, width, view_mm), key in zip(VIEWS, (MIDDLE, CANAL), strict=True):
        view = SliceView(application.scene, application.logic, layout_name, (width, HEIGHT))
        session.highlight(key)
        aim = aim_at(session, key)
        assert aim is not None
        view.show(session.nodes.volume, tuple(aim.centre))
        look(application.scene, aim)
        view.node.SetFieldOfView(view_mm * width / HEIGHT, view_mm, view.node.GetFieldOfView()[2])
        view.node.JumpSliceByCentering(*aim.centre)
        shown.append(view.picture().copy())
        view.close()
    session.close()
    gap = np.full((HEIGHT, 6, 3), 255, np.uint8)
    Image.fromarray(np.hstack([shown[0], gap, shown[1]])).save(PICTURE, optimize=True)


if __name__ == "__main__":
    sys.exit(main())
