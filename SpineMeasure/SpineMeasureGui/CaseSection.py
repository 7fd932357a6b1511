"""The section Case: the image, the run of the model, and a segmentation that is measured as it is."""

import time

import slicer
from slicer.i18n import tr as _

from SpineMeasureLib import needs
from SpineMeasureLib.errors import SpineMeasureError


class CaseSection:
    """Runs the model on the chosen volume and hands the session to the panel.

    :param panel: the `Panel`.
    :ivar run: the `ChildRun` of the model, or None.
    """

    def __init__(self, panel) -> None:
        self.panel = panel
        self.ui = panel.ui
        self.desk = panel.desk
        self.run = None
        self.deviceRun = None
        self.askedDevice = ""
        self.started = 0.0
        self._preparing = False
        self._building = False
        ui = panel.ui
        for button, slot in (
            (ui.runButton, self.onRun),
            (ui.cancelButton, self.onCancel),
            (ui.measureSegmentationButton, self.onMeasureSegmentation),
        ):
            button.connect("clicked(bool)", slot)

    def cleanup(self) -> None:
        """Leave no process behind."""
        for run in (self.run, self.deviceRun):
            if run is not None:
                run.abandon()

    # The device

    def askDevice(self) -> None:
        """Ask a child process which device would be used and why; Slicer itself never loads PyTorch."""
        parameters = self.panel.parameters
        if self.deviceRun is not None or slicer.app.testingEnabled():
            return
        if needs.TORCH[0] in needs.missing():
            self.askedDevice = ""
            self.ui.deviceLabel.text = _("PyTorch is not installed; you can install it at the first run.")
            return
        self.askedDevice = parameters.device
        self.ui.deviceLabel.text = _("Checking ...")
        self.deviceRun = self.panel.logic.askDevice(parameters.device, self.onDeviceKnown)

    def onDeviceKnown(self, text) -> None:
        """Show the device line."""
        self.deviceRun = None
        self.ui.deviceLabel.text = text
        if self.askedDevice != self.panel.parameters.device:
            self.askDevice()

    # The run

    def onRun(self, checked=False) -> None:
        """Segment and measure the chosen volume in a child process."""
        self.desk.dismiss()
        # Slicer answers clicks while packages are installed.
        self._preparing = True
        self.panel.updateButtons()
        try:
            self.panel.guarded(self._start, waitCursor=False)
        finally:
            self._preparing = False
            self.panel.updateButtons()

    def _start(self) -> None:
        parameters, logic = self.panel.parameters, self.panel.logic
        self.panel.log(_("Segment & Measure: {name}").format(name=parameters.volume.GetName()))
        try:
            logic.checkLowestDisc(parameters.lowestDisc)
            if not logic.installNeeds(self.onInstallLine):
                self.desk.say(_("Packages are missing."), _("Agree to the installation to continue."))
                return
            if not self.askedDevice:
                self.askDevice()
            self.started = time.monotonic()
            self.run = logic.process(
                parameters.volume,
                device=parameters.device,
                lowestDisc=parameters.lowestDisc,
                ends=parameters.ends,
                onUpdate=self.onUpdate,
                onFinished=self.onFinished,
                onBuilding=self.onBuilding,
            )
        except SpineMeasureError as error:
            self.desk.say(error.message, error.hint)

    def onInstallLine(self, line) -> None:
        """Show that the installation is in progress; Slicer stays responsive between its lines."""
        self.ui.stageLabel.text = line.strip()[:80]
        self.ui.stageLabel.visible = True
        self.panel.log("  " + line.rstrip())
        slicer.app.processEvents()

    def onUpdate(self, update) -> None:
        """Show how far the child is."""
        self.ui.progressBar.value = int(1000 * update.overall)
        seconds = int(time.monotonic() - self.started)
        self.ui.stageLabel.text = _("{stage}: {message} ({seconds} s)").format(
            stage=update.stage.capitalize(), message=update.message, seconds=seconds
        )

    def onBuilding(self) -> None:
        """Say that the scene is being built: until then Slicer does not respond, so nothing can be cancelled."""
        self._building = True
        self.ui.stageLabel.text = _("Building the scene ...")
        self.panel.updateButtons()
        for widget in (self.ui.stageLabel, self.ui.cancelButton):
            widget.repaint()

    def onCancel(self, checked=False) -> None:
        """Stop the child."""
        self.desk.dismiss()
        if self.run is not None:
            self.ui.stageLabel.text = _("Cancelling ...")
            self.run.cancel()
        self.panel.updateButtons()

    def onFinished(self, session, failure) -> None:
        """Show the case, or in plain words why there is none."""
        conversation = self.run.conversation if self.run is not None else None
        self.run = None
        self._building = False
        self.ui.stageLabel.text = ""
        for line in conversation.log if conversation is not None else ():
            self.panel.log("  " + line)
        if failure is not None:
            self.desk.say(failure.message, failure.next_step, "result" if failure.kind == "cancelled" else "error")
        else:
            seconds = time.monotonic() - self.started
            self.panel.log(_("Finished in {seconds:.1f} s.").format(seconds=seconds))
            self.panel.cases.add(session)
            warnings = conversation.result.get("warnings", []) if conversation is not None else []
            text = _("Please check the levels and the flagged values.")
            self.desk.say(text, " ".join(map(str, warnings)), "result")
        self.panel.updateButtons()

    # A segmentation

    def onMeasureSegmentation(self, checked=False) -> None:
        """Make a case of the chosen segmentation, unless it has one."""
        segmentation = self.panel.parameters.segmentation
        self.desk.dismiss()
        known = self.panel.cases.open.of_segmentation(segmentation)
        if known is not None:
            self.panel.cases.show(known)
            text = _("This segmentation has already been measured.")
            self.desk.say(text, _("Press Re-measure after editing it."), "result")
            return
        self.panel.guarded(lambda: self.desk.attempt(self._measureSegmentation))

    def _measureSegmentation(self) -> None:
        parameters, logic = self.panel.parameters, self.panel.logic
        segmentation = parameters.segmentation
        logic.checkLowestDisc(parameters.lowestDisc)
        # Its own image if it has one; the chosen volume may be another patient's.
        image = segmentation.GetNodeReference(segmentation.GetReferenceImageGeometryReferenceRole())
        session = logic.measureSegmentation(
            segmentation, image or parameters.volume, parameters.lowestDisc, parameters.ends
        )
        self.panel.log(_("Measured: {name}").format(name=segmentation.GetName()))
        self.panel.cases.add(session)

    # What can be pressed

    def updateButtons(self) -> None:
        """Show what can be started or cancelled now."""
        ui, parameters = self.ui, self.panel.parameters
        running = self.run is not None
        busy = running or self._preparing
        ui.runButton.enabled = parameters.volume is not None and not busy
        ui.runButton.toolTip = (
            _("Find vertebrae, discs and canal, measure them, and show lines that can be dragged.")
            if parameters.volume is not None
            else _("Choose a volume first.")
        )
        ui.cancelButton.enabled = running and not self.run.cancelled and not self._building
        ui.progressBar.visible = running
        ui.stageLabel.visible = busy
        for widget in (ui.volumeSelector, ui.deviceSelector, ui.lowestDiscEdit, ui.segmentationSelector):
            widget.enabled = not busy
        ui.measureSegmentationButton.enabled = parameters.segmentation is not None and not busy
