"""The section Export: files of the case."""

import ctk
from slicer.i18n import tr as _

from SpineMeasureLib.review.output import write_everything, write_report, write_table, write_training_case


class ExportSection:
    """Writes the case into the folder that was chosen.

    :param panel: the `Panel`.
    """

    def __init__(self, panel) -> None:
        self.panel = panel
        self.ui = panel.ui
        self.desk = panel.desk
        self._warnings = []
        ui = panel.ui
        ui.exportPath.filters = ctk.ctkPathLineEdit.Dirs
        for button, slot in (
            (ui.csvButton, self.table),
            (ui.jsonButton, self.everything),
            (ui.sceneButton, self.scene),
            (ui.reportButton, self.report),
            (ui.dicomButton, self.dicom),
            (ui.trainingButton, self.training),
        ):
            button.connect("clicked(bool)", slot)
        # Files with values need the values of the segments as they are.
        self.buttons = [("export", each) for each in (ui.csvButton, ui.jsonButton, ui.reportButton, ui.dicomButton)]
        self.buttons += [("scene", ui.sceneButton), ("training", ui.trainingButton)]

    def table(self, checked=False) -> None:
        """Write the table."""
        self._export(write_table)

    def everything(self, checked=False) -> None:
        """Write every field of every value."""
        self._export(write_everything)

    def scene(self, checked=False) -> None:
        """Write the scene."""
        self._export(self.panel.logic.exportScene, "scene")

    def report(self, checked=False) -> None:
        """Write the report."""
        self._export(write_report)

    def dicom(self, checked=False) -> None:
        """Write DICOM SEG and SR and add them to the DICOM database."""
        logic = self.panel.logic
        self._export(lambda session, folder: logic.exportDicom(session, folder, self._warnings.extend))

    def training(self, checked=False) -> None:
        """Add the case to a training data set."""
        self._export(write_training_case, "training")

    def _export(self, write, what="export") -> None:
        desk, folder = self.desk, self.ui.exportPath.currentPath
        desk.dismiss()
        desk.check_segments()
        if not folder:
            desk.say(_("Choose a folder first."))
        elif not desk.reason(what):
            self.panel.guarded(lambda: desk.attempt(lambda: self._write(write, folder)))

    def _write(self, write, folder) -> None:
        self._warnings = []
        path = write(self.desk.session, folder)
        self.ui.exportPath.addCurrentPathToHistory()
        self.desk.say(_("Written: {path}"), " ".join(self._warnings), kind="result", path=path)
