"""The table of measurements in the panel."""

import qt

from SpineMeasureGui.Texts import shown
from SpineMeasureLib.review.panel import COLUMNS, STATUSES, row_of

CENTRED = (2, 3, 4)
ICON_COLUMN = 0
STATUS_COLUMN = 5
ROW_HEIGHT = 22


class MeasurementTable:
    """Shows the rows of some keys of a session in a QTableWidget.

    :param table: the qt.QTableWidget.
    :param iconPath: path of a status icon, with the status in place of ``{}``.
    """

    def __init__(self, table, iconPath: str) -> None:
        self.table = table
        self.keys = []
        self._icons = {status: qt.QIcon(iconPath.format(status)) for status in STATUSES}
        table.setColumnCount(len(COLUMNS))
        table.setHorizontalHeaderLabels([shown(title) for title in COLUMNS])
        table.verticalHeader().setVisible(False)
        table.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        table.horizontalHeader().setStretchLastSection(True)
        # Its icon says it in less room.
        table.setColumnHidden(STATUS_COLUMN, True)

    def fill(self, session, keys, selected=None) -> None:
        """Show these rows; `selected` stays selected where it is among them."""
        table = self.table
        self.keys = list(keys)
        table.blockSignals(True)
        table.clearSelection()
        table.setRowCount(len(self.keys))
        self.update(session, self.keys)
        self.select(selected)
        table.blockSignals(False)
        table.resizeColumnsToContents()

    def update(self, session, keys) -> None:
        """Bring rows up to date; keys that are not shown are passed over."""
        for row, key in enumerate(self.keys):
            if key in keys:
                self._fillRow(row, row_of(session, key))

    def _fillRow(self, row, values) -> None:
        for column, text in enumerate(_translated(values.cells)):
            item = self.table.item(row, column)
            if item is None:
                item = qt.QTableWidgetItem()
                if column in CENTRED:
                    item.setTextAlignment(qt.Qt.AlignCenter)
                self.table.setItem(row, column, item)
            if item.text() != text:
                item.setText(text)
            item.setToolTip(values.tooltip)
            if column == ICON_COLUMN:
                item.setIcon(self._icons[values.status])
                item.setToolTip(shown(values.cells[STATUS_COLUMN]))

    def selectedKeys(self) -> list:
        """The keys of the selected rows, from above."""
        return [key for row, key in enumerate(self.keys) if self.table.item(row, ICON_COLUMN).isSelected()]

    def select(self, key) -> None:
        """Select the row of a key; none where it is not shown."""
        if key not in self.keys:
            self.table.clearSelection()
        elif key not in self.selectedKeys():
            self.table.selectRow(self.keys.index(key))


def _translated(cells) -> tuple:
    level, quantity, value, automatic, difference, status, flags = cells
    flags = ", ".join(shown(flag) for flag in flags.split(", "))
    return level, shown(quantity), value, automatic, difference, shown(status), flags
