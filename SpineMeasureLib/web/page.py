"""The page: views on the left, the panel of the review on the right. What it shows is the server's state, by name."""

from __future__ import annotations

from typing import Any

from trame.ui.vuetify3 import VAppLayout
from trame.widgets import client, html
from trame.widgets import vuetify3 as v3

from ..review.panel import GROUPS, STATUSES, disc_names
from .places import UPLOAD_ENDINGS
from .table import HEADERS

#: Keys with Alt -> action of the review, as in the Slicer module.
SHORTCUTS = {
    "ArrowUp": "previous_level",
    "ArrowDown": "next_level",
    "KeyN": "next_flagged",
    "KeyA": "accept",
    "KeyR": "reset",
    "KeyZ": "undo",
    "KeyY": "redo",
}

DEFAULTS: dict[str, Any] = {
    "title": "",
    "device_text": "",
    "theme": "dark",
    "message": "",
    "message_hint": "",
    "message_error": False,
    "running": False,
    "progress": 0.0,
    "stage": "",
    "has_case": False,
    "headers": HEADERS,
    "rows": [],
    "live": {},
    "selected": [],
    "current": "",
    "level": "",
    "levels": [],
    "level_filter": "All levels",
    "group": "Lines",
    "groups": list(GROUPS),
    "status_filter": [],
    "statuses": list(STATUSES),
    "scope": "selected values",
    "reviewer": "",
    "snap": True,
    "summary": "",
    "level_note": "",
    "disc_names": disc_names(),
    "new_name": "",
    "can_undo": False,
    "can_redo": False,
    "chart": "",
    "opacity": 0.3,
    "path": "",
    "kept": "",
}

_STYLE = """
html { overflow: hidden; }
.sm-row { cursor: pointer; }
.sm-row.sm-selected td { background: rgba(25, 118, 210, .22); }
.sm-row.sm-current td:first-child { box-shadow: inset 3px 0 0 #1976d2; }
.sm-row td { white-space: nowrap; font-variant-numeric: tabular-nums; padding: 0 6px !important; }
.sm-edited { color: #ef6c00; } .sm-flagged { color: #e53935; } .sm-accepted { color: #2e7d32; }
.sm-line { display: flex; gap: 6px; align-items: center; flex-wrap: wrap; padding: 4px 8px; }
"""

_SCRIPT = """
(() => {
  if (window.spineMeasure) return;
  window.spineMeasure = true;
  const keys = %s;
  window.addEventListener('keydown', (event) => {
    if (!event.altKey || !keys[event.code]) return;
    event.preventDefault();
    window.trame.trigger('act', [keys[event.code]]);
  });
  document.addEventListener('change', async (event) => {
    if (event.target.id !== 'sm-upload' || !event.target.files.length) return;
    const file = event.target.files[0];
    event.target.value = '';
    try {
      const answer = await fetch('upload?name=' + encodeURIComponent(file.name), {method: 'POST', body: file});
      if (!answer.ok) window.trame.trigger('tell', [await answer.text()]);
    } catch (error) {
      window.trame.trigger('tell', ['The upload was refused or broke off.']);
    }
  });
})();
"""


def build_page(server: Any, viewer: Any, review: Any) -> Any:
    """Make the page.

    :param review: `review.Review`; its methods are what the buttons do.
    """
    with VAppLayout(server, theme=("theme",)) as page:
        client.Style(_STYLE)
        client.Script(_SCRIPT % SHORTCUTS)
        with v3.VAppBar(density="compact"):
            v3.VAppBarTitle("SpineMeasure: {{ title }}")
            html.Span("Not for diagnosis", classes="text-caption mr-3")
            _icon("mdi-undo", "Undo (Alt+Z)", review.undo, "undo", ("!can_undo",))
            _icon("mdi-redo", "Redo (Alt+Y)", review.redo, "redo", ("!can_redo",))
            _icon("mdi-theme-light-dark", "Dark or light", "theme = theme === 'dark' ? 'light' : 'dark'", "theme")
        with v3.VNavigationDrawer(location="right", width=640, permanent=True):
            _messages()
            _case(review)
            _levels(review)
            _table(review)
            _actions(review)
            html.Div(v_html=("chart",), id="chart", classes="sm-line")
            _exports(review)
        with v3.VMain(), html.Div(style="height: calc(100vh - 48px); width: 100%;"):
            viewer.place(page)
    return page


def _icon(icon: str, tip: str, action: Any, name: str, disabled: Any = None) -> None:
    more = {} if disabled is None else {"disabled": disabled}
    v3.VBtn(icon=icon, density="comfortable", title=tip, click=action, id=name, **more)


def _button(text: str, action: Any, name: str, disabled: str = "!has_case", tip: str = "") -> None:
    v3.VBtn(text, size="small", variant="tonal", click=action, id=name, disabled=(disabled,), title=tip)


def _messages() -> None:
    with v3.VAlert(
        v_if=("message",),
        type=("message_error ? 'error' : 'info'",),
        density="compact",
        closable=True,
        click_close="message = ''",
        id="message",
    ):
        html.Strong("{{ message }}")
        html.Span(" {{ message_hint }}")


def _case(review: Any) -> None:
    with html.Div(classes="sm-line"):
        html.Span("{{ device_text }}", classes="text-caption", id="device")
        html.Span("{{ kept }}", classes="text-caption", id="kept")
    with html.Div(classes="sm-line", v_if=("running",)):
        v3.VProgressLinear(model_value=("progress",), max=1, height=8, style="width: 420px;", id="progress")
        _button("Cancel", review.cancel, "cancel", "!running")
        html.Span("{{ stage }}", classes="text-caption", id="stage")
    with html.Div(classes="sm-line"):
        v3.VTextField(
            v_model=("path",),
            label="Open a file or folder below the start folder",
            density="compact",
            hide_details=True,
            v_on_keydown_enter=review.open_typed,
            id="path",
        )
        _button("Open", review.open_typed, "open", "running || !path")
        with html.Label(classes="text-caption", title="A scene (.mrb) or an image; it stays on this computer"):
            html.Span("or upload ")
            html.Input(type="file", id="sm-upload", accept=",".join(UPLOAD_ENDINGS), style="width: 190px;")


def _levels(review: Any) -> None:
    with html.Div(classes="sm-line"):
        _icon("mdi-chevron-up", "Previous level (Alt+Up)", review.previous_level, "previous", ("!has_case",))
        _select("level", ("levels",), "Level", 130)
        _icon("mdi-chevron-down", "Next level (Alt+Down)", review.next_level, "next", ("!has_case",))
        _select("new_name", ("disc_names",), "is", 130)
        _button("Rename", review.rename, "rename", "!has_case || !new_name", "Name this disc; all levels follow")
        _button("Shift up", review.shift_up, "shift-up")
        _button("Shift down", review.shift_down, "shift-down")
    html.Div("{{ level_note }}", v_if=("level_note",), classes="sm-line text-warning text-caption", id="level-note")


def _table(review: Any) -> None:
    with html.Div(classes="sm-line"):
        _select("group", ("groups",), "Values", 150)
        _select("level_filter", ("['All levels', ...levels]",), "Levels", 130)
        _select("status_filter", ("statuses",), "Status", 190, multiple=True, clearable=True)
        _button("Next flagged", review.next_flagged, "next-flagged", tip="Alt+N")
    with v3.VDataTable(
        items=("rows",),
        headers=("headers",),
        item_value="id",
        items_per_page=("-1",),
        hide_default_footer=True,
        fixed_header=True,
        density="compact",
        height="38vh",
        id="table",
    ), v3.Template(raw_attrs=['v-slot:item="{ item }"']), html.Tr(
        classes=("['sm-row', {'sm-selected': selected.includes(item.id), 'sm-current': current === item.id}]",),
        click=(review.click_row, "[item.id, $event.ctrlKey || $event.metaKey]"),
        raw_attrs=[':data-id="item.id"', ':title="(live[item.id] || item).tooltip"'],
    ):
        for field in ("level", "quantity", "value", "auto", "diff"):
            html.Td("{{ (live[item.id] || item)." + field + " }}")
        html.Td("{{ (live[item.id] || item).status }}", classes=("'sm-' + (live[item.id] || item).status",))
        html.Td("{{ (live[item.id] || item).flags }}")
    html.Div("{{ summary }}", classes="sm-line text-caption", id="summary")


def _actions(review: Any) -> None:
    with html.Div(classes="sm-line"):
        _select("scope", ("['selected values', 'level', 'case']",), "Apply to", 150)
        _button("Accept", review.accept, "accept", tip="Alt+A")
        _button("Withdraw", review.withdraw, "withdraw")
        _button("Reset", review.reset, "reset", tip="Alt+R: back to the automatic value")
        v3.VTextField(v_model=("reviewer",), label="Reviewer", density="compact", hide_details=True, id="reviewer")
    with html.Div(classes="sm-line"):
        v3.VCheckbox(
            v_model=("snap",), label="Lines stay in their plane", density="compact", hide_details=True, id="snap"
        )
        v3.VSlider(
            v_model=("opacity",), min=0, max=1, step=0.05, label="Segments", hide_details=True, style="width: 200px;"
        )


def _exports(review: Any) -> None:
    with html.Div(classes="sm-line", v_if=("has_case",)):
        _button("Save scene", review.save, "save", tip="Write the edits into the scene file itself")
        html.Span("Download:", classes="text-caption")
        for kind, text in (("csv", "Table (CSV)"), ("json", "JSON"), ("scene", "Scene (MRB)"), ("picture", "Picture")):
            v3.VBtn(
                text, size="small", variant="tonal", href=f"export/{kind}", raw_attrs=["download"], id=f"export-{kind}"
            )


def _select(name: str, items: Any, label: str, width: int, **more: Any) -> None:
    v3.VSelect(
        v_model=(name,),
        items=items,
        label=label,
        density="compact",
        hide_details=True,
        style=f"max-width: {width}px;",
        id=name.replace("_", "-"),
        **more,
    )
