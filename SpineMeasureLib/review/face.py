"""What a face of the review (Slicer's panel, the browser's page) draws of a `Desk`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Literal, Protocol

from .mrml.slices import Aim
from .panel import ALL_LEVELS
from .session import Key

Kind = Literal["error", "result", "note", "standing"]


@dataclass(frozen=True)
class Message:
    """A sentence for the reader.

    :ivar text: may contain ``{name}`` fields, filled from `values`; translate it before that.
    :ivar hint: what to do next, or empty.
    :ivar kind: "standing" is true until its cause is gone, the others until the next action. A face may omit a "note".
    """

    text: str
    hint: str = ""
    kind: Kind = "error"
    values: Mapping[str, object] = field(default_factory=dict)

    def sentence(self, translate: Callable[[str], str] = str) -> str:
        """Return the text with its values."""
        text = translate(self.text)
        return text.format(**self.values) if self.values else text


@dataclass(frozen=True)
class Filter:
    """Which rows the table lists and which lines the views show.

    :ivar group: one of `panel.GROUPS`.
    :ivar level: a level, or `panel.ALL_LEVELS`.
    :ivar statuses: of `panel.STATUSES`; empty for all.
    :ivar labels: whether levels are labelled beside the spine.
    :ivar only_level: whether only lines at the current level are shown.
    """

    group: str = "Lines"
    level: str = ALL_LEVELS
    statuses: tuple[str, ...] = ()
    labels: bool = True
    only_level: bool = False


class View(Protocol):
    """What a face draws. Each method reads what it needs from the desk; none changes the desk."""

    def quietly(self) -> AbstractContextManager[object]:
        """Return a context in which no slice or 3D view is drawn; each is drawn once at its end. Contexts nest."""

    def fill(self) -> None:
        """Draw the table (`Desk.rows`), the lists of levels and the filter: all of it may be different."""

    def update_rows(self, keys: Collection[Key]) -> None:
        """Draw the values of these rows again, listed or not; called at every mouse move of a drag."""

    def show_place(self) -> None:
        """Draw the current row and level, the selection and the new name of the disc."""

    def look(self, aim: Aim) -> None:
        """Turn the slice views to a value's plane."""

    def show_message(self) -> None:
        """Draw `Desk.messages`."""

    def show_state(self) -> None:
        """Draw counts and what can be done (`Desk.reason`); not called at every mouse move of a drag."""
