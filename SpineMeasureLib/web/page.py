"""The page: views on the left, the review panel on the right. It shows the server's state variables by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiohttp import web
from trame.ui.vuetify3 import VAppLayout
from trame.widgets import client, html
from trame.widgets import vuetify3 as v3
from trame_client.module import vue3

from .bar import bar, tools
from .controls import act, button, icon, select, text_field
from .look import FIRST_SCRIPT, SCRIPT, STYLE
from .review import Review
from .viewer import Viewer


def build_page(server: Any, viewer: Viewer, review: Review) -> None:
    """Build the page; its buttons call the methods of the review."""
    with VAppLayout(server, theme=("theme",)) as page:
        client.Style(STYLE)
        client.Script(SCRIPT)
        bar(review)
        with (
            v3.VNavigationDrawer(
                location="right", width=("$vuetify.display.width < 1280 ? 430 : 560",), permanent=True
            ),
            html.Div(classes="sm-panel"),
        ):
            _messages(review)
            _levels()
            _filters()
            _table()
            _edits()
            _chart()
        with v3.VMain(), html.Div(classes="sm-main"):
            tools()
            with html.Div(classes="sm-views"):
                viewer.place(page)


def serve_index(application: web.Application) -> None:
    """Serve trame's index page with `FIRST_SCRIPT` added. Call this before the application runs."""
    index = Path(vue3.www, "index.html").read_text(encoding="utf-8")
    index = index.replace("<head>", f"<head><script>{FIRST_SCRIPT}</script>", 1)

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=index, content_type="text/html")

    application.router.add_get("/index.html", answer)


def _messages(review: Review) -> None:
    with v3.VAlert(
        v_if=("message",),
        type=("message_error ? 'error' : 'info'",),
        variant="tonal",
        density="compact",
        closable=True,
        click_close="message = ''",
        classes="sm-alert",
        id="message",
    ):
        html.Span("{{ message }} {{ message_hint }}")
    with html.Div(classes="sm-line", v_if=("running",), id="run"):
        html.Span("{{ run_name }}: {{ stage }}", classes="text-caption", id="stage")
        v3.VProgressLinear(model_value=("progress",), max=1, height=6, rounded=True, id="progress")
        button("Cancel", review.cancel, "cancel", "!cancellable")


def _levels() -> None:
    with html.Div(classes="sm-line"):
        icon("mdi-chevron-up", "Previous level (Alt+Up)", act("previous_level"), "previous", "!has_case")
        icon("mdi-chevron-down", "Next level (Alt+Down)", act("next_level"), "next", "!has_case")
        select("level", ("levels",), "Level", 116)
        select("new_name", ("disc_names",), "New name", 116, disabled=("!new_name",))
        button(
            "Rename",
            act("rename"),
            "rename",
            "!has_case || !new_name",
            "All other levels follow",
        )
        v3.VSpacer()
        button("Shift up", act("shift_up"), "shift-up", tip="L4-L5 becomes L3-L4, and so on")
        button("Shift down", act("shift_down"), "shift-down", tip="L4-L5 becomes L5-S1, and so on")
    html.Div("{{ level_note }}", v_if=("level_note",), classes="sm-line text-warning text-caption", id="level-note")


def _filters() -> None:
    with html.Div(classes="sm-line"):
        select("group", ("groups",), "Values", 140)
        select("level_filter", ("['All levels', ...levels]",), "Levels", 118)
        select("status_filter", ("statuses",), "Status", 150, multiple=True, clearable=True)
        v3.VSpacer()
        button("Next flagged", act("next_flagged"), "next-flagged", tip="Alt+N")


def _table() -> None:
    with (
        v3.VDataTable(
            items=("rows",),
            headers=("headers",),
            item_value="id",
            items_per_page=("-1",),
            hide_default_footer=True,
            fixed_header=True,
            density="compact",
            no_data_text="No values",
            classes="sm-table",
            id="table",
        ),
        v3.Template(raw_attrs=['v-slot:item="{ item }"']),
        html.Tr(
            classes=(
                "['sm-row', {'sm-selected': selected.includes(item.id), 'sm-current': current === item.id,"
                " 'sm-pinned': item.pinned}]",
            ),
            click="trigger('click', [item.id, $event.ctrlKey || $event.metaKey])",
            raw_attrs=[':data-id="item.key"', ':title="(live[item.id] || item).tooltip"'],
        ),
    ):
        for field in ("level", "quantity", "value", "auto", "diff"):
            html.Td("{{ (live[item.id] || item)." + field + " }}", classes=f"sm-{field}")
        html.Td("{{ (live[item.id] || item).status }}", classes=("'sm-' + (live[item.id] || item).mark",))
        html.Td("{{ (live[item.id] || item).flags }}", classes="sm-flags")
    html.Div(
        "Dashed: the current value, outside the filter.",
        v_if=("rows.some((row) => row.pinned)",),
        classes="sm-key text-caption sm-quiet",
        id="pinned",
    )


def _edits() -> None:
    with html.Div(classes="sm-line"):
        select("scope", ("scopes",), "Apply to", 176)
        button("Accept", act("accept"), "accept", tip="Alt+A")
        button("Withdraw", act("withdraw"), "withdraw", tip="Withdraw the acceptance")
        button("Reset", act("reset"), "reset", tip="Alt+R: restore the automatic value")
        text_field("reviewer", "Reviewer")
    # A Getter for what changes during a drag: alone it takes 1 ms, with the whole panel 15 to 20.
    with client.Getter(name="summary"):
        html.Div("{{ value }}", classes="sm-line text-caption sm-quiet", id="summary")


def _chart() -> None:
    with client.Getter(name="chart"):
        html.Div(v_html=("value",), v_show=("value",), id="chart", classes="sm-chart")
        html.Div(
            "Grey: published mean, with its SD if one is given; not a cut-off.",
            v_if=("value.includes('<rect')",),
            classes="sm-key text-caption sm-quiet",
        )
