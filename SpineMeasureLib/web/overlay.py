"""The overlay of each view: its name, the current value, the patient's directions, a slice slider, a fit button."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from trame.widgets import client, html
from trame.widgets import vuetify3 as v3
from trame_slicer.app.logic.slice_view_logic import connect_slice_view_slider_to_state
from trame_slicer.app.ui.slider import Slider

#: Name of the view's node -> title, and the patient's direction at left, right, top and bottom.
_VIEWS = {
    "Yellow": ("Sagittal", "APSI"),
    "Red": ("Axial", "RLAP"),
    "ThreeD": ("3D", ""),
}
_EDGES = (
    "left: 8px; top: 50%;",
    "right: 8px; top: 50%;",
    "top: 8px; left: 50%;",
    "bottom: 30px; left: 50%;",
)

STYLE = """
.sm-over { position: absolute; color: #cfd8dc; font-size: 12px; pointer-events: none; text-shadow: 0 0 3px #000; }
.sm-corner { white-space: pre-line; }
.sm-fit { position: absolute; top: 4px; right: 4px; color: #cfd8dc; }
.sm-slices { position: absolute; left: 16px; right: 16px; bottom: 0; opacity: .55; }
.sm-slices:hover { opacity: 1; }
"""


def overlay(fit: Callable[[Any], None], slices: bool) -> Callable[[Any, str, Any], None]:
    """Return the function that trame-slicer calls to add the overlay of a view.

    :param fit: called by the fit button.
    :param slices: whether the view shows slices.
    """

    def fill(server: Any, _: str, view: Any) -> None:
        title, letters = _VIEWS[view.name]
        html.Span(title, classes="sm-over", style="left: 8px; top: 6px; font-weight: 500;")
        if slices:
            # A separate component, because it changes during a drag.
            with client.Getter(name=f"corner_{view.name.lower()}"):
                html.Span("{{ value }}", classes="sm-over sm-corner", style="left: 8px; top: 22px;")
        for letter, edge in zip(letters, _EDGES, strict=False):
            html.Span(letter, classes="sm-over", style=edge)
        v3.VBtn(
            icon="mdi-fit-to-page-outline",
            size="x-small",
            variant="text",
            classes="sm-fit",
            title=f"Fit the {title} view",
            click=lambda: fit(view),
            id=f"fit-{title.lower()}",
        )
        if slices:
            with html.Div(classes="sm-slices", id=f"slices-{title.lower()}"):
                Slider(
                    typed_state=connect_slice_view_slider_to_state(server, view),
                    theme="dark",
                    density="compact",
                    track_size=2,
                    thumb_size=12,
                )

    return fill
