"""Pictures of the panel on the facade: ``python -m Testing.widget.screenshots``. They go to Resources/Screenshots.

The Segment Editor is Slicer's and stands as a frame; section headings are drawn by the stand-ins, not by CTK.
"""

from __future__ import annotations

import sys
import time
import types
from pathlib import Path
from typing import Any

from PySide6 import QtWidgets

from SpineMeasureLib.io.read import read_volume
from SpineMeasureLib.measure import measure
from SpineMeasureLib.resources import data_path
from SpineMeasureLib.review.mrml.app import mrml_application
from SpineMeasureLib.segment.labels.by_value import segmentation_from_labels
from Testing.widget.application import install, module_classes
from Testing.widget.conftest import add_volume

PICTURES = Path(__file__).resolve().parents[2] / "Resources" / "Screenshots"
WIDTH = 460
#: Headings of sections as bands, somewhat like CTK's.
STYLE = """
QGroupBox { border: none; margin-top: 20px; }
QGroupBox::title { subcontrol-origin: margin; padding: 2px 600px 2px 6px; background: #c8d4e8; }
"""
HEIGHT = ("L4-L5", "disc_height_middle", "endplate50")
SECTIONS = ("case", "levels", "measurements", "segments", "export", "details")


def picture(panel: Any, name: str, sections: tuple[str, ...]) -> None:
    """Open these sections only, and save the panel as it is then."""
    for section in SECTIONS:
        getattr(panel.ui, f"{section}CollapsibleButton").collapsed = section not in sections
    root, bar = panel.parent, panel.ui.messageLabel
    root.resize(WIDTH, 100)
    for _ in range(3):
        QtWidgets.QApplication.processEvents()
    # As high as all of it: in Slicer what does not fit is scrolled, above the line with the message.
    message = 0 if bar.isHidden() else QtWidgets.QWidget.sizeHint(bar).height() + 12
    root.resize(WIDTH, QtWidgets.QWidget.sizeHint(panel.ui.sections).height() + message + 30)
    for _ in range(3):
        QtWidgets.QApplication.processEvents()
    panel.table.fitColumns()
    root.grab().save(str(PICTURES / f"{name}.png"))


def edit(session: Any) -> None:
    """Leave traces of a review: a dragged line, an accepted level."""
    line = session.line(HEIGHT)
    p1, p2 = (line.GetNthControlPointPositionWorld(n) for n in (0, 1))
    session.set_line(HEIGHT, (p1[0], p1[1], p1[2] + 1.2), tuple(p2))
    session.accept([m.key for m in session.rows if m.level == "L3-L4"], "AB")


def main() -> None:
    """Draw every picture."""
    record, remove = install(mrml_application())
    record.window = QtWidgets.QMainWindow()
    folder = data_path("Resources/sample")
    image = read_volume(folder / "lumbar_t2.nii.gz")
    volume = add_volume(mrml_application().scene, image, "Lumbar T2 sagittal")
    panel = module_classes().SpineMeasureWidget()
    panel.parent.setStyleSheet(STYLE)
    panel.parent.show()
    panel.ui.deviceLabel.text = "cpu (2 threads): the installed PyTorch 2.13.0+cpu was built for the CPU only."
    panel.panel.case.askedDevice = "auto"
    panel.panel.case.askDevice = lambda: None
    panel.enter()

    from SpineMeasureLib.child import Conversation, Update, classify

    panel.panel.case.run = types.SimpleNamespace(
        cancelled=False, conversation=types.SimpleNamespace(log=[]), abandon=lambda: None
    )
    panel.panel.case.started = time.monotonic() - 12
    panel.panel.case.onUpdate(Update("segment", 0.62, "slice 24 of 39"))
    panel.panel.updateButtons()
    picture(panel, "module_running", ("case",))
    told = Conversation(error={"kind": "memory", "message": "The computer has too little memory for this image."})
    panel.panel.case.onFinished(None, classify(told, 32))
    picture(panel, "module_error", ("case",))
    segmentation = segmentation_from_labels(read_volume(folder / "lumbar_t2_labels.nii.gz"))
    from SpineMeasureLib.review.session import Session

    session = Session.build(
        mrml_application().scene, volume, segmentation, measure(segmentation, image), volume.GetName()
    )
    edit(session)
    panel.addSession(session)
    panel.showMessage("")
    panel.goToKey(HEIGHT)
    panel.ui.exportPath.currentPath = "/home/reader/cases"
    picture(panel, "module_review", ("case", "levels", "measurements"))
    picture(panel, "module_sections", SECTIONS)
    panel.cleanup()
    remove()


if __name__ == "__main__":
    sys.exit(main())
