"""The messages of the desk, below all sections, where they do not scroll away."""

import html

from SpineMeasureGui.Texts import shown

#: Text and background by kind.
COLOURS = {
    "error": ("#842029", "#f8d7da"),
    "result": ("#084298", "#cfe2ff"),
    "note": ("#084298", "#cfe2ff"),
    "standing": ("#664d03", "#fff3cd"),
}


class MessageBar:
    """Shows messages one below the other, in the colours of the first.

    :param label: the qt.QLabel.
    """

    def __init__(self, label) -> None:
        self.label = label
        self.show([])

    def show(self, messages) -> None:
        """Show these `Message`s of the desk and no others."""
        lines = [[html.escape(text) for text in self.translated(message)] for message in messages]
        self.label.text = "<br>".join(f"<b>{text}</b> {hint}" for text, hint in lines)
        if messages:
            colour, background = COLOURS[messages[0].kind]
            self.label.setStyleSheet(f"QLabel {{ color: {colour}; background: {background}; padding: 6px; }}")
        self.label.visible = bool(messages)

    @staticmethod
    def translated(message) -> tuple:
        """Text and hint of a message in the language of Slicer."""
        return message.sentence(shown), shown(message.hint)
