"""Controls that several parts of the page share, each with an id and a tooltip."""

from __future__ import annotations

from typing import Any

from trame.widgets import vuetify3 as v3


def icon(picture: str, tip: str, action: Any, name: str, disabled: str = "false") -> None:
    """A button with a picture."""
    v3.VBtn(icon=picture, size="small", variant="text", title=tip, click=action, id=name, disabled=(disabled,))


def button(text: str, action: Any, name: str, disabled: str = "!has_case", tip: str = "") -> None:
    """A button with a text."""
    v3.VBtn(text, size="small", variant="tonal", click=action, id=name, disabled=(disabled,), title=tip)


def text_field(name: str, label: str, **more: Any) -> None:
    """A line of text, the state of this name."""
    v3.VTextField(
        v_model=(name,), label=label, density="compact", variant="outlined", hide_details=True, id=name, **more
    )


def select(name: str, items: Any, label: str, width: int, **more: Any) -> None:
    """A choice of one state by name, or of several."""
    v3.VSelect(
        v_model=(name,),
        items=items,
        label=label,
        density="compact",
        variant="outlined",
        hide_details=True,
        style=f"max-width: {width}px;",
        id=name.replace("_", "-"),
        **more,
    )
