"""The table of measurements in the panel."""

import qt

from SpineMeasureGui.Texts import shown
from SpineMeasureLib.review.panel import COLUMNS, STATUSES, row_of

ICON_COLUMN, QUANTITY_COLUMN, STATUS_COLUMN, FLAGS_COLUMN = map(COLUMNS.index, ("Level", "Quantity", "Status", "Flags"))
CENTRED = tuple(map(COLUMNS.index, ("Value", "Auto", "Diff.")))
#: Hidden while they are empty.
OPTIONAL_COLUMNS = tuple(map(COLUMNS.index, ("Auto", "Diff.", "Flags")))
ROW_HEIGHT = 22
#: Minimum widths in pixels. "Disc height, posterior" fits; longer texts are in the tooltip.
QUANTITY_WIDTH, FLAGS_WIDTH = 132, 30
SCROLL_BAR_WIDTH = 20


class MeasurementTable:
    """Shows the rows of some keys of a session in a QTableWidget.

    :param table: the qt.QTableWidget.
    :param iconPath: path of a status icon, with the status in place of ``{}``.
    :ivar keys: keys of the rows, from top to bottom.
    """

    def __init__(self, table, iconPath: str) -> None:
        self.table = table
        self.keys = []
        self._ids = []
        self._icons = {status: qt.QIcon(iconPath.format(status)) for status in STATUSES}
        table.setColumnCount(len(COLUMNS))
        table.setHorizontalHeaderLabels([shown(title) for title in COLUMNS])
        table.verticalHeader().setVisible(False)
        table.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        # The icon shows it in less space.
        table.setColumnHidden(STATUS_COLUMN, True)

    def fill(self, session, keys) -> None:
        """Show these rows; `select` selects some of them."""
        table = self.table
        self.keys = list(keys)
        self._ids = [session.id_of(key) for key in self.keys]
        table.blockSignals(True)
        table.setRowCount(len(self.keys))
        self.update(session, self.keys)
        table.blockSignals(False)
        self.fitColumns()

    def forget(self) -> None:
        """Show no rows."""
        self.keys, self._ids = [], []
        self.table.blockSignals(True)
        self.table.setRowCount(0)
        self.table.blockSignals(False)

    def fitColumns(self) -> None:
        """Hide empty columns and give the quantity the remaining width; the user can resize the others."""
        table, used = self.table, self._used(self.keys)
        for column in OPTIONAL_COLUMNS:
            table.setColumnHidden(column, column not in used)
        table.resizeColumnsToContents()
        # A hidden column is 0 wide.
        shared = (QUANTITY_COLUMN, FLAGS_COLUMN)
        room = table.width - SCROLL_BAR_WIDTH
        room -= sum(table.columnWidth(column) for column in range(len(COLUMNS)) if column not in shared)
        flags = min(table.columnWidth(FLAGS_COLUMN), max(FLAGS_WIDTH, room - QUANTITY_WIDTH))
        table.setColumnWidth(FLAGS_COLUMN, flags)
        fits = room - flags >= QUANTITY_WIDTH
        mode = qt.QHeaderView.Stretch if fits else qt.QHeaderView.Interactive
        table.horizontalHeader().setSectionResizeMode(QUANTITY_COLUMN, mode)
        if not fits:
            table.setColumnWidth(QUANTITY_COLUMN, QUANTITY_WIDTH)

    def update(self, session, keys) -> None:
        """Update rows; keys that are not shown are ignored."""
        for row, key in enumerate(self.keys):
            if key in keys:
                self._fillRow(row, row_of(session, key))
        if any(self.table.isColumnHidden(column) for column in self._used(keys)):
            self.fitColumns()

    def _used(self, keys) -> list:
        """Return the optional columns in which one of these rows has a text."""
        rows = [row for row, key in enumerate(self.keys) if key in keys]
        return [column for column in OPTIONAL_COLUMNS if any(self.table.item(row, column).text() for row in rows)]

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
            item.setToolTip(text if column == FLAGS_COLUMN else values.tooltip)
            if column == ICON_COLUMN:
                item.setIcon(self._icons[values.status])
                item.setToolTip(shown(values.cells[STATUS_COLUMN]))

    def selectedKeys(self) -> list:
        """Return the keys of the selected rows, from top to bottom."""
        return [key for row, key in enumerate(self.keys) if self.table.item(row, ICON_COLUMN).isSelected()]

    def selectedRows(self) -> list:
        """Return the ids (`Session.id_of`) of the selected rows, from top to bottom."""
        return [self._ids[self.keys.index(key)] for key in self.selectedKeys()]

    def select(self, keys, current) -> None:
        """Select the rows of these keys and no others, and scroll to the current one if it is selected."""
        if {*self.selectedKeys()} != {*keys}:
            self.table.blockSignals(True)
            self.table.clearSelection()
            if len(keys) == 1:
                self.table.selectRow(self.keys.index(keys[0]))  # the arrow keys go on from there
            else:
                for key in keys:
                    for column in range(len(COLUMNS)):
                        self.table.item(self.keys.index(key), column).setSelected(True)
            self.table.blockSignals(False)
        if current in keys:
            self.table.scrollToItem(self.table.item(self.keys.index(current), ICON_COLUMN))


def _translated(cells) -> tuple:
    level, quantity, value, automatic, difference, status, flags = cells
    flags = ", ".join(shown(flag) for flag in flags.split(", "))
    return level, shown(quantity), value, automatic, difference, shown(status), flags
