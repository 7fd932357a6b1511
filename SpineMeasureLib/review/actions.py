"""What the buttons and keys of a review do to the case of a `Desk`, and why one cannot be used now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .panel import ended_by, next_flagged, step

if TYPE_CHECKING:
    from .desk import Desk
    from .session import RemeasureResult, Session

NO_CASE = "There is no case yet."
NOTHING_CHOSEN = "Select a value in the table first."
STALE = "The segments were edited after they were measured: press Re-measure first."
NO_EDGES = "Lines between edges of the image were not measured in this case."
ENDED = "Not available under the new level names: {names}."
REMEASURED = (
    "{changed} values changed, {appeared} new, {vanished} removed. {kept} lines that you edited or accepted were kept; "
    "the table shows their difference from the new automatic value."
)


@dataclass(frozen=True)
class Action:
    """One thing that a reader can ask for.

    :ivar do: called only if it is possible.
    :ivar possible: whether it has any effect now.
    :ivar otherwise: the reason if it has none.
    """

    do: Callable[[Desk, Session], object]
    possible: Callable[[Desk, Session], bool] = lambda desk, session: True
    otherwise: str = ""


def reason(desk: Desk, action: str) -> str:
    """Return why an action, "export" or "ends" (`Desk.show_ends`) cannot be done now; empty if it can.

    Each face writes its own exports.
    """
    session = desk.session
    if session is None:
        return NO_CASE
    if action in ("accept", "export") and desk.stale:
        return STALE
    if action in ("accept", "withdraw", "reset") and not desk.in_scope:
        return NOTHING_CHOSEN
    if action == "ends" and not session.has_both_ends:
        return NO_EDGES
    asked = ACTIONS.get(action)
    return "" if asked is None or asked.possible(desk, session) else asked.otherwise


def _go_to_flagged(desk: Desk, session: Session) -> None:
    key = next_flagged(session, desk.current)
    if key is not None:
        desk.go_to(key)


def _accept(desk: Desk, session: Session) -> None:
    reviewer = desk.reviewer.strip()
    if desk.attempt(lambda: session.accept(desk.in_scope, reviewer)) and not reviewer:
        desk.say("Accepted without initials.", "Enter yours to sign.", "note")


def _rename(desk: Desk, session: Session, rename: Callable[[], None]) -> None:
    """Rename levels, and say which values do not exist under the new names."""
    ended: list[str] = []
    if desk.attempt(lambda: ended.extend(ended_by(session, rename))) and ended:
        desk.say(ENDED, "Undo restores them.", "result", names=", ".join(ended))


def _remeasure(desk: Desk, session: Session) -> None:
    found: list[RemeasureResult] = []
    if desk.attempt(lambda: found.append(session.remeasure())):
        (result,) = found
        desk.say(
            REMEASURED,
            kind="result",
            changed=len(result.changed),
            appeared=len(result.appeared),
            vanished=len(result.vanished),
            kept=len(result.kept_edited),
        )


#: By the name that buttons and keys of every face use.
ACTIONS: dict[str, Action] = {
    "previous_level": Action(
        lambda desk, session: desk.go_to_level(step(desk.levels, desk.level, -1)),
        lambda desk, session: desk.level in session.levels[1:],
        "There is no level above.",
    ),
    "next_level": Action(
        lambda desk, session: desk.go_to_level(step(desk.levels, desk.level, 1)),
        lambda desk, session: desk.level not in session.levels[-1:],
        "There is no level below.",
    ),
    "next_flagged": Action(_go_to_flagged, lambda desk, session: bool(session.flagged), "No value is flagged."),
    "accept": Action(_accept, lambda desk, session: session.can_accept(desk.in_scope), "There is no value to accept."),
    "withdraw": Action(
        lambda desk, session: desk.attempt(lambda: session.withdraw(desk.in_scope)),
        lambda desk, session: session.can_withdraw(desk.in_scope),
        "None of these values is accepted.",
    ),
    "reset": Action(
        lambda desk, session: desk.attempt(lambda: session.reset(desk.in_scope)),
        lambda desk, session: session.can_reset(desk.in_scope),
        "None of these values was edited.",
    ),
    "undo": Action(
        lambda desk, session: desk.attempt(session.undo),
        lambda desk, session: session.can_undo,
        "There is nothing to undo.",
    ),
    "redo": Action(
        lambda desk, session: desk.attempt(session.redo),
        lambda desk, session: session.can_redo,
        "There is nothing to redo.",
    ),
    "rename": Action(
        lambda desk, session: _rename(desk, session, lambda: session.rename_disc(desk.level, desk.new_name)),
        lambda desk, session: desk.level in session.discs,
        "Choose the level of a disc first.",
    ),
    "shift_up": Action(lambda desk, session: _rename(desk, session, lambda: session.shift_levels(-1))),
    "shift_down": Action(lambda desk, session: _rename(desk, session, lambda: session.shift_levels(1))),
    "remeasure": Action(
        _remeasure,
        lambda desk, session: session.nodes.segmentation is not None,
        "The segmentation of this case was deleted.",
    ),
}
