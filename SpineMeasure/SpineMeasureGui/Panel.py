"""The panel: its sections, put together around one review desk."""

import logging
import time

import slicer
from slicer.i18n import tr as _

from SpineMeasureGui.CaseSection import CaseSection
from SpineMeasureGui.ExportSection import ExportSection
from SpineMeasureGui.Face import Face
from SpineMeasureGui.LevelsSection import LevelsSection
from SpineMeasureGui.MeasurementsSection import MeasurementsSection
from SpineMeasureGui.MessageBar import MessageBar
from SpineMeasureGui.Parameters import Parameters
from SpineMeasureGui.SceneCases import SceneCases
from SpineMeasureGui.SegmentsSection import SegmentsSection
from SpineMeasureGui.Surroundings import ReviewLayout, Shortcuts
from SpineMeasureGui.Texts import shown
from SpineMeasureLib.review.desk import Desk
from SpineMeasureLib.review.panel import methods_text, model_card


class Panel:
    """Everything below the widget that Slicer knows. Sections reach each other through it.

    :param ui: the widgets of SpineMeasure.ui by name.
    :param logic: the `SpineMeasureLogic`.
    :param resourcePath: a function that returns the path of a resource of the module.
    :ivar desk: the `Desk`, which decides everything about the case that is shown.
    :ivar entered: True while the module is shown.
    """

    def __init__(self, ui, logic, resourcePath) -> None:
        self.ui = ui
        self.logic = logic
        self.resourcePath = resourcePath
        self.entered = False
        self.desk = Desk(Face(self))
        self.messages = MessageBar(ui.messageLabel)
        self.reviewLayout = ReviewLayout()
        self.shortcuts = Shortcuts(self.act)
        self.cases = SceneCases(self)
        self.case = CaseSection(self)
        self.levels = LevelsSection(self)
        self.measurements = MeasurementsSection(self)
        self.segments = SegmentsSection(self)
        self.export = ExportSection(self)
        self.link = Parameters(self)
        actions = {**self.levels.actions, **self.measurements.actions, **self.segments.actions}
        for action, button in actions.items():
            button.connect("clicked(bool)", self._slot(action))
        controls = (*actions.items(), *self.export.buttons, ("ends", ui.endsSelector))
        self._buttons = [(what, button, button.toolTip) for what, button in controls]
        ui.modelBrowser.setMarkdown(model_card())
        ui.methodsBrowser.setMarkdown(methods_text())
        ui.shortcutsLabel.toolTip = self.shortcuts.tooltip()
        self.link.initialize()

    def _slot(self, action):
        return lambda checked=False: self.act(action)

    @property
    def session(self):
        """The case that is shown, or None."""
        return self.desk.session

    @property
    def parameters(self):
        """The `SpineMeasureParameterNode`."""
        return self.link.node

    @property
    def segmentEditor(self):
        """The embedded `SegmentEditor`."""
        return self.segments.editor

    def enter(self) -> None:
        """Show the module's layout and take its keys; pick up a case that is in the scene."""
        self.entered = True
        self.link.initialize(again=True)
        self.shortcuts.install()
        self.reviewLayout.show()
        self.segments.open()
        self.cases.find()
        if self.session is not None and self.desk.current is None:
            self.cases.showInViews()  # it came while another module was shown
        self.segments.start()
        if self.case.askedDevice != self.parameters.device:
            self.case.askDevice()

    def exit(self) -> None:
        """Give layout, shortcuts and Segment Editor back."""
        self.entered = False
        self.segments.stop()
        self.shortcuts.remove()
        with self.logic.quietly():
            self.reviewLayout.restore()

    def cleanup(self) -> None:
        """Leave nothing behind: no process, no observer, no session."""
        self.case.cleanup()
        self.cases.close()
        self.link.set(None)
        self.segmentEditor.cleanup()

    def act(self, action) -> None:
        """Perform the action of a button or key, or show why it cannot be done."""
        self.guarded(lambda: self.desk.act(action))

    @staticmethod
    def guarded(action, waitCursor=True) -> None:
        """Call something, and display an error that is not for the user."""
        with slicer.util.tryWithErrorDisplay(_("An unexpected error occurred."), waitCursor=waitCursor):
            action()

    def log(self, text) -> None:
        """Add a line to the log under Details."""
        self.ui.logEdit.appendPlainText(f"{time.strftime('%H:%M:%S')} {text}")
        logging.info("SpineMeasure: %s", text)

    def updateButtons(self) -> None:
        """Show what can be pressed now, and why the rest cannot."""
        self.case.updateButtons()
        self.measurements.updateSummary()
        self.measurements.updateEnds()
        for what, button, toolTip in self._buttons:
            reason = shown(self.desk.reason(what))
            button.enabled = not reason
            button.toolTip = reason or toolTip
