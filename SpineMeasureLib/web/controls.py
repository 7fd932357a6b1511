"""Controls that several parts of the page share, each with an id."""

from __future__ import annotations

from typing import Any

from trame.widgets import vuetify3 as v3


def act(action: str) -> str:
    """Return the expression for an action of the desk, to be used by a control."""
    return f"trigger('act', ['{action}'])"


def icon(name_of_icon: str, tip: str, action: Any, name: str, disabled: str = "false") -> None:
    """Add a button with an icon."""
    v3.VBtn(icon=name_of_icon, size="small", variant="text", title=tip, click=action, id=name, disabled=(disabled,))


def button(text: str, action: Any, name: str, disabled: str = "!has_case", tip: str = "") -> None:
    """Add a button with a text."""
    v3.VBtn(text, size="small", variant="tonal", click=action, id=name, disabled=(disabled,), title=tip)


def text_field(name: str, label: str, **more: Any) -> None:
    """Add a text field bound to a state variable."""
    v3.VTextField(
        v_model=(name,), label=label, density="compact", variant="outlined", hide_details=True, id=name, **more
    )


def select(name: str, items: Any, label: str, width: int, **more: Any) -> None:
    """Add a selection bound to a state variable."""
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
