"""The line of the panel that says what happened, below all sections, where it does not scroll away."""

import html

#: Text and background by kind.
COLOURS = {"error": ("#842029", "#f8d7da"), "result": ("#084298", "#cfe2ff"), "standing": ("#664d03", "#fff3cd")}
NOTHING = ("", "", "")


class MessageBar:
    """Shows what the last action brought until the next one, and what holds until its cause is gone.

    :param label: the qt.QLabel.
    """

    def __init__(self, label) -> None:
        self.label = label
        self._said = self._standing = NOTHING
        self._show()

    def say(self, message, nextStep="", isError=True) -> None:
        """Show what an action brought; it goes with the next `dismiss`."""
        self._said = (message, nextStep, "error" if isError else "result") if message else NOTHING
        self._show()

    def dismiss(self) -> None:
        """Show no longer what the last action brought."""
        if self._said is not NOTHING:
            self.say("")

    def stand(self, message, nextStep="") -> None:
        """Show something for as long as it is so: call again, with an empty text, when it is not."""
        self._standing = (message, nextStep, "standing") if message else NOTHING
        self._show()

    def _show(self) -> None:
        shown = [each for each in (self._said, self._standing) if each is not NOTHING]
        self.label.text = "<br>".join(
            f"<b>{html.escape(message)}</b> {html.escape(nextStep)}" for message, nextStep, _ in shown
        )
        if shown:
            colour, background = COLOURS[shown[0][2]]
            self.label.setStyleSheet(f"QLabel {{ color: {colour}; background: {background}; padding: 6px; }}")
        self.label.visible = bool(shown)
