"""The bar at the top of the page with files and history, and the tools above the views."""

from __future__ import annotations

from trame.widgets import html
from trame.widgets import vuetify3 as v3

from ..review.panel import ENDS, SHORTCUTS
from .controls import act, button, icon, text_field
from .downloads import KINDS
from .places import UPLOAD_ENDINGS
from .review import Review

_KEYS: dict[str, list[str]] = {}
for _keys, (_, _does) in SHORTCUTS.items():
    _KEYS.setdefault(_does, []).append(_keys)
_HELP = (
    ("Mouse, on an end of a line", ""),
    ("Drag left", "move the end within its plane; a height's snaps to edges of the image"),
    ("Mouse, elsewhere in a slice", ""),
    ("Wheel", "slices; with Ctrl: zoom"),
    ("Drag left", "window (left, right) and level (up, down)"),
    ("Drag right", "zoom"),
    ("Drag middle, or Shift and left", "pan"),
    ("Keys", ""),
    *((" or ".join(keys), does) for does, keys in _KEYS.items()),
    ("Ctrl and click on a row", "add to the selection"),
)
_ENDS_TIP = "Which values and lines are shown first; edits of the others are kept"


def bar(review: Review) -> None:
    """Add the bar at the top of the page."""
    with v3.VAppBar(density="compact", flat=True, border="b"):
        html.Span("SpineMeasure", classes="sm-name")
        html.Span("{{ title }}", id="title", classes="text-body-2")
        html.Span("{{ device_text }}", classes="text-caption sm-quiet", id="device")
        v3.VSpacer()
        html.Span("Not for diagnosis", classes="text-caption sm-quiet mr-4")
        icon("mdi-undo", "Undo (Ctrl+Z)", act("undo"), "undo", "!can_undo")
        icon("mdi-redo", "Redo (Ctrl+Y)", act("redo"), "redo", "!can_redo")
        v3.VDivider(vertical=True, inset=True, classes="mx-1")
        icon("mdi-folder-open-outline", "Open another file", "opening = true", "open-dialog")
        icon("mdi-content-save-outline", "Save the edits in the scene file", review.save, "save", "!has_case")
        _downloads()
        v3.VDivider(vertical=True, inset=True, classes="mx-1")
        icon("mdi-help-circle-outline", "Mouse and keys", "helping = true", "help")
        icon("mdi-theme-light-dark", "Dark or light theme", "theme = theme === 'dark' ? 'light' : 'dark'", "theme")
    _open_dialog(review)
    _help_dialog()


def _downloads() -> None:
    with v3.VMenu():
        with v3.Template(raw_attrs=['v-slot:activator="{ props }"']):
            v3.VBtn(
                icon="mdi-download-outline",
                size="small",
                variant="text",
                title="Download",
                id="download",
                disabled=("!has_case || exporting",),
                raw_attrs=['v-bind="props"'],
            )
        with v3.VList(density="compact"):
            for name, kind in KINDS.items():
                v3.VListItem(
                    title=kind.title,
                    subtitle=(f"cannot.{name} || ''",),
                    disabled=(f"!!cannot.{name}",),
                    href=f"export/{name}",
                    classes="sm-export",
                    id=f"export-{name}",
                )


def _open_dialog(review: Review) -> None:
    with v3.VDialog(v_model=("opening",), width=560), v3.VCard(title="Open another file"):
        with v3.VCardText():
            with html.Div(classes="d-flex align-center ga-2"):
                text_field("path", "File or folder inside the start folder", v_on_keydown_enter=review.open_typed)
                button("Open", review.open_typed, "open", "running || !path")
            html.Div(
                "or upload a scene (.mrb), an image (.nii, .nrrd, .mha) or a zipped DICOM folder (.zip):",
                classes="text-body-2 mt-6 mb-2",
            )
            html.Input(type="file", id="upload", accept=",".join(UPLOAD_ENDINGS), disabled=("running",))
        with v3.VCardActions():
            v3.VSpacer()
            button("Close", "opening = false", "close-open", "false")


def _help_dialog() -> None:
    with v3.VDialog(v_model=("helping",), width=560), v3.VCard(title="Mouse and keys"):
        with v3.VCardText(), html.Table(classes="sm-help"):
            for what, does in _HELP:
                with html.Tr():
                    html.Td(what, classes="" if does else "sm-head")
                    html.Td(does)
        with v3.VCardActions():
            v3.VSpacer()
            button("Close", "helping = false", "close-help", "false")


def tools() -> None:
    """Add the tools that change how the views look."""
    with html.Div(classes="sm-tools"):
        html.Span("Segments", classes="text-caption")
        with v3.VBtnToggle(
            v_model=("segments_as",), multiple=True, density="compact", variant="outlined", divided=True, id="segments"
        ):
            v3.VBtn("Outline", value="outline", size="small", id="outline")
            v3.VBtn("Fill", value="fill", size="small", id="fill")
        v3.VSlider(
            v_model=("opacity",),
            min=0,
            max=1,
            step=0.05,
            hide_details=True,
            density="compact",
            track_size=2,
            thumb_size=12,
            style="flex: 1 1 80px; max-width: 130px;",
            title="Fill opacity",
            id="opacity",
        )
        _ends()
        v3.VSpacer()
        for name, text in (
            ("labels", "Label levels"),
            ("only_level", "Current level only"),
            ("snap", "Keep lines in plane"),
            ("snap_to_edges", "Snap to edges"),
        ):
            v3.VCheckbox(v_model=(name,), label=text, density="compact", hide_details=True, classes="sm-check", id=name)
        button(
            "Reset window",
            "trigger('reset_window')",
            "reset-window",
            tip="Restore the initial window and level",
        )


def _ends() -> None:
    # The tip is around the buttons: a control that cannot be used shows none.
    with html.Div(title=(f"ends_cannot || '{_ENDS_TIP}'",), classes="sm-choice", id="ends"):
        html.Span("Lines between", classes="text-caption")
        with v3.VBtnToggle(
            v_model=("ends",),
            mandatory=True,
            density="compact",
            variant="outlined",
            divided=True,
            disabled=("!!ends_cannot",),
        ):
            for ends, text in ENDS.items():
                v3.VBtn(text.capitalize(), value=ends, size="small", id=f"ends-{ends}")
