"""The panel as a face of the review desk: `SpineMeasureLib.review.face.View`."""

import slicer

from SpineMeasureLib.review.mrml.slices import look


class Face:
    """Draws what a `Desk` holds, by the sections of the panel.

    :param panel: the `Panel`.
    """

    def __init__(self, panel) -> None:
        self.panel = panel
        self._logged = None

    def quietly(self):
        """Draw the views once, at the end of the context."""
        return self.panel.logic.quietly()

    def fill(self) -> None:
        """Draw the table and the lists of levels."""
        self.panel.levels.fill()
        self.panel.measurements.fill()

    def update_rows(self, keys) -> None:
        """Draw some rows again."""
        self.panel.measurements.table.update(self.panel.session, keys)

    def show_place(self) -> None:
        """Draw the current level and the selection."""
        self.panel.levels.showPlace()
        self.panel.measurements.showPlace()

    def look(self, aim) -> None:
        """Turn all slice views."""
        look(slicer.mrmlScene, aim)

    def show_message(self) -> None:
        """Draw the messages, and log a new one."""
        desk = self.panel.desk
        self.panel.messages.show(desk.messages)
        if desk.said is not self._logged:
            self._logged = desk.said
            if desk.said is not None:
                self.panel.log(" ".join(filter(None, self.panel.messages.translated(desk.said))))

    def show_state(self) -> None:
        """Draw counts and buttons."""
        self.panel.updateButtons()
