"""Two hundred random things a reader may do, with undo, save and reload between them: no value is lost or orphaned."""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from review_checks import check_case, delete, facts, paint, thinner

from SpineMeasureLib.errors import LevelNameError

OPERATIONS = 200
NAMES = ("L3-L4", "L4-L5", "L5-S1", "L6-S1", "T12-L1", "T13-L1", "L4-S1", "T6-T7", "C6-C7")


class Reader:
    """Does random things to a session and remembers what every step looked like."""

    def __init__(self, scene: Any, session: Any, folder: Path, seed: int) -> None:
        self.scene, self.session, self.folder = scene, session, folder
        self.random = random.Random(seed)
        self.steps = [facts(session)]
        self.place = 0
        self.done: dict[str, int] = {}

    def act(self) -> None:
        """One random operation, and what must hold after it."""
        actions = {
            self.drag: 30, self.move_by_script: 10, self.undo: 25, self.redo: 15, self.reset: 8, self.accept: 12,
            self.withdraw: 5, self.rename: 8, self.shift: 6, self.delete_line: 6, self.save_and_reload: 5,
            self.remeasure: 3, self.look: 4,
        }  # fmt: skip
        action = self.random.choices(list(actions), list(actions.values()))[0]
        before = facts(self.session)
        action()
        self.done[action.__name__] = self.done.get(action.__name__, 0) + 1
        after = facts(self.session)
        if action not in (self.undo, self.redo, self.save_and_reload) and after != before:
            del self.steps[self.place + 1 :]
            self.steps.append(after)
            self.place += 1
        assert after == self.steps[self.place], action.__name__
        assert self.session.can_undo == (self.place > 0) and self.session.can_redo == (self.place + 1 < len(self.steps))
        check_case(self.session)

    def any_row(self) -> Any:
        return self.random.choice(self.session.rows)

    def any_line(self) -> Any:
        return self.random.choice(list(self.session.nodes.lines))

    def other_end(self, key: Any) -> Any:
        plane, row = self.session.row(key).plane, self.session.row(key)
        return np.array(row.p2) + self.random.uniform(-2, 2) * np.array(plane.y_axis) + self.random.random()

    def drag(self) -> None:
        key = self.any_line()
        self.session.set_line(key, self.session.row(key).p1, tuple(self.other_end(key)))

    def move_by_script(self) -> None:
        key = self.any_line()
        self.session.line(key).SetNthControlPointPositionWorld(1, *self.other_end(key))

    def undo(self) -> None:
        could = self.place > 0
        assert self.session.undo() == could
        self.place -= could

    def redo(self) -> None:
        could = self.place + 1 < len(self.steps)
        assert self.session.redo() == could
        self.place += could

    def some_keys(self) -> list[Any]:
        """One row, a level or the whole case."""
        row = self.any_row()
        at_level = [m.key for m in self.session.rows if m.level == row.level]
        return self.random.choice([[row.key], at_level, [m.key for m in self.session.rows]])

    def reset(self) -> None:
        self.session.reset(self.some_keys())

    def accept(self) -> None:
        self.session.accept(self.some_keys(), self.random.choice(["", "AB"]))

    def withdraw(self) -> None:
        self.session.withdraw([self.any_row().key for _ in range(5)])

    def rename(self) -> None:
        self.named(lambda: self.session.rename_disc(self.random.choice(self.session.discs), self.random.choice(NAMES)))

    def shift(self) -> None:
        self.named(lambda: self.session.shift_levels(self.random.choice([-2, -1, 1])))

    def named(self, action: Any) -> None:
        """Rename: every value keeps its edit, its acceptance and its place."""
        before = [row[1:] for row in facts(self.session)]
        with suppress(LevelNameError):
            action()
        after = [row[1:] for row in facts(self.session)]
        for old, new in zip(before, after, strict=True):
            assert [old[i] for i in (0, 1, 2, 4, 6, 7)] == [new[i] for i in (0, 1, 2, 4, 6, 7)]

    def delete_line(self) -> None:
        delete(self.session.line(self.any_line()))

    def remeasure(self) -> None:
        """A segment is changed, or not; what was edited or accepted stays."""
        session = self.session
        kept = {m.key: (m.value, m.p1, m.p2) for m in session.rows if session.state.rows[session.id_of(m.key)].edit}
        kept |= {m.key: (m.value, m.p1, m.p2) for m in session.rows if m.accepted}
        if self.random.random() < 0.7:
            paint(session.nodes.segmentation, self.random.choice(["L4-L5", "L4", "L5-S1"]), thinner)
        session.remeasure()
        for key, value in kept.items():
            row = session.row(key)
            assert row.value == pytest.approx(value[0], abs=1e-6)
            if row.p1 is not None:
                np.testing.assert_allclose([row.p1, row.p2], value[1:], atol=1e-6)

    def save_and_reload(self) -> None:
        from SpineMeasureLib.review.session import Session

        path = self.folder / "case.mrb"
        assert self.scene.WriteToMRB(str(path)) and self.scene.ReadFromMRB(str(path), True)
        (self.session,) = Session.find(self.scene)
        self.steps, self.place = [self.steps[self.place]], 0

    def look(self) -> None:
        self.session.highlight(self.any_row().key)
        self.session.show(self.random.sample(self.session.levels, 2), None)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2026])
def test_no_value_is_lost_or_orphaned(scene: Any, small: Any, tmp_path: Path, seed: int) -> None:
    from SpineMeasureLib.review.session import Session

    reader = Reader(scene, Session.build(scene, None, *small), tmp_path, seed)
    for _ in range(OPERATIONS):
        reader.act()
    assert len(reader.done) == 13
    reader.session.close()
