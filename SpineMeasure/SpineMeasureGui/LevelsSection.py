"""The section Levels: the current level, steps between levels, their names."""

from SpineMeasureGui.Texts import shown
from SpineMeasureLib.review.panel import ALL_LEVELS, disc_names


class LevelsSection:
    """Draws the levels of the desk, and forwards choices to it.

    :param panel: the `Panel`.
    """

    def __init__(self, panel) -> None:
        self.ui = panel.ui
        self.desk = panel.desk
        ui = panel.ui
        ui.renameSelector.addItems(disc_names())
        ui.levelSelector.connect("currentTextChanged(QString)", self.onLevelChosen)
        ui.levelFilter.connect("currentIndexChanged(int)", self.onFilterChosen)
        ui.renameSelector.connect("currentTextChanged(QString)", self.onNameChosen)
        self.actions = {
            "previous_level": ui.previousLevelButton,
            "next_level": ui.nextLevelButton,
            "next_flagged": ui.nextFlaggedButton,
            "rename": ui.renameButton,
            "shift_up": ui.shiftUpButton,
            "shift_down": ui.shiftDownButton,
        }

    def fill(self) -> None:
        """List the levels of the case; both lists keep what is chosen."""
        levels, wanted = self.desk.levels, self.desk.filter.level
        place = levels.index(wanted) + 1 if wanted in levels else 0
        for box, items in ((self.ui.levelSelector, levels), (self.ui.levelFilter, [shown(ALL_LEVELS), *levels])):
            box.blockSignals(True)
            if [box.itemText(n) for n in range(box.count)] != items:
                box.clear()
                box.addItems(items)
            box.blockSignals(False)
        self._choose(self.ui.levelFilter, place)
        note = self.desk.level_note
        self.ui.levelNoteLabel.text = shown(note)
        self.ui.levelNoteLabel.visible = bool(note)

    def showPlace(self) -> None:
        """Show the current level, and propose its own name as the new one."""
        levels = self.desk.levels
        if self.desk.level in levels:
            self._choose(self.ui.levelSelector, levels.index(self.desk.level))
        if self.desk.new_name:
            self._choose(self.ui.renameSelector, self.ui.renameSelector.findText(self.desk.new_name))

    @staticmethod
    def _choose(box, place) -> None:
        box.blockSignals(True)
        box.setCurrentIndex(place)
        box.blockSignals(False)

    def onLevelChosen(self, level) -> None:
        """Go to the level that was chosen in the list."""
        self.desk.go_to_level(level)

    def onFilterChosen(self, place) -> None:
        """List the values of one level, or of all."""
        self.desk.show_only(level=[ALL_LEVELS, *self.desk.levels][max(0, place)])

    def onNameChosen(self, name) -> None:
        """Note what the disc is to be called."""
        self.desk.new_name = name
