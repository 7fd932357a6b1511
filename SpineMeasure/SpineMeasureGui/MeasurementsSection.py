"""The section Measurements: the table, its filters, and what is done to values."""

import slicer
from slicer.i18n import tr as _

from SpineMeasureGui.MeasurementTable import MeasurementTable
from SpineMeasureGui.Texts import shown
from SpineMeasureLib.review.panel import ENDS, SCOPES

#: Where the reader's initials are remembered: with the user, not with a scene, which others open.
REVIEWER_SETTING = "SpineMeasure/reviewer"


class MeasurementsSection:
    """Draws the rows of the desk, and forwards selections and filters to it.

    :param panel: the `Panel`.
    :ivar table: the `MeasurementTable`.
    """

    def __init__(self, panel) -> None:
        self.panel = panel
        self.ui = panel.ui
        self.desk = panel.desk
        ui = panel.ui
        self.table = MeasurementTable(ui.measurementTable, panel.resourcePath("Icons/{}.png"))
        ui.scopeSelector.addItems([shown(scope) for scope in SCOPES])
        ui.endsSelector.addItems([shown(ends) for ends in ENDS.values()])
        ui.reviewerEdit.text = self.desk.reviewer = slicer.app.userSettings().value(REVIEWER_SETTING, "")
        ui.measurementTable.connect("cellClicked(int,int)", self.onCellClicked)
        ui.measurementTable.connect("currentCellChanged(int,int,int,int)", self.onCurrentCellChanged)
        ui.measurementTable.connect("itemSelectionChanged()", self.onSelectionChanged)
        ui.scopeSelector.connect("currentIndexChanged(int)", self.onScopeChosen)
        ui.endsSelector.connect("currentIndexChanged(int)", self.onEndsChosen)
        ui.reviewerEdit.connect("textChanged(QString)", self.onReviewerTyped)
        ui.reviewerEdit.connect("editingFinished()", self.onReviewerEntered)
        self.actions = {
            "accept": ui.acceptButton,
            "withdraw": ui.withdrawButton,
            "reset": ui.resetButton,
            "undo": ui.undoButton,
            "redo": ui.redoButton,
        }

    def fill(self) -> None:
        """Show the rows that the desk lists."""
        if self.desk.session is None:
            self.table.forget()
        else:
            self.table.fill(self.desk.session, self.desk.keys)

    def showPlace(self) -> None:
        """Select what the desk says is selected, and scroll to the current row."""
        self.table.select(self.desk.selected, self.desk.current)

    def translateGroups(self) -> None:
        """Show the groups in the language of Slicer: the connection to the parameters filled in their names."""
        box = self.ui.quantityFilter
        for n in range(box.count):
            box.setItemText(n, shown(box.itemText(n)))

    def updateSummary(self) -> None:
        """Show how many values there are."""
        text = _("{values} values, {lines} lines; {edited} edited, {flagged} flagged, {accepted} accepted")
        self.ui.summaryLabel.text = text.format(**self.desk.counts) if self.desk.session is not None else ""

    def updateEnds(self) -> None:
        """Show what the heights of the case are between."""
        self.ui.endsSelector.currentIndex = list(ENDS).index(self.desk.ends)

    def onCellClicked(self, row, column) -> None:
        """Show the value of the row that was clicked."""
        self._goTo(row)

    def onCurrentCellChanged(self, row, column, rowBefore, columnBefore) -> None:
        """Show the value of the row that the arrow keys came to."""
        if 0 <= row < len(self.table.keys) and self.table.keys[row] != self.desk.current:
            self._goTo(row)

    def _goTo(self, row) -> None:
        if self.desk.session is not None and row < len(self.table.keys):
            key = self.table.keys[row]
            self.desk.go_to(key, self.table.selectedRows() if key in self.table.selectedKeys() else None)

    def onSelectionChanged(self) -> None:
        """Accept, withdraw and reset apply to what the user selected."""
        self.desk.select(self.table.selectedRows())

    def onScopeChosen(self, index) -> None:
        """What can be accepted depends on it."""
        self.desk.set_scope(SCOPES[max(0, index)])

    def onEndsChosen(self, index) -> None:
        """Show lines between edges of the image or between segments, also in new cases."""
        ends = list(ENDS)[max(0, index)]
        if ends != self.desk.ends:
            self.panel.guarded(lambda: self.desk.show_ends(ends))
            self.panel.parameters.ends = self.desk.preferred_ends

    def onReviewerTyped(self, text) -> None:
        """Sign with these initials."""
        self.desk.reviewer = text.strip()

    def onReviewerEntered(self) -> None:
        """Remember the initials for the next case."""
        self.desk.dismiss()
        slicer.app.userSettings().setValue(REVIEWER_SETTING, self.desk.reviewer)
