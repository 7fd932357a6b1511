"""Edits that are kept beside a scene come back when that scene is opened again, and only then."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from review_checks import check_case, facts, moved

from SpineMeasureLib.errors import UnreadableInputError

MIDDLE = ("L4-L5", "disc_height_middle", "chord50")
ANTERIOR = ("L4-L5", "disc_height_anterior", "chord10")
AREA = ("L4-L5", "disc_area", "area")


def edited(session: Any) -> None:
    """An edited line, accepted values, a deleted line, other level names."""
    session.set_line(MIDDLE, *moved(session, MIDDLE, 1.2345))
    session.accept([MIDDLE, AREA], "AB")
    session.nodes.lines[ANTERIOR].GetScene().RemoveNode(session.line(ANTERIOR))
    session.shift_levels(-1)


def test_kept_edits_come_back(session: Any, scene: Any, tmp_path: Path) -> None:
    from SpineMeasureLib.files import file_hash
    from SpineMeasureLib.review.keep import keep, restore
    from SpineMeasureLib.review.session import Session

    path = tmp_path / "case.mrb"
    assert scene.WriteToMRB(str(path))
    edited(session)
    keep(scene, path, file_hash(path))
    state, before = session.state, facts(session)
    session.close()
    assert scene.ReadFromMRB(str(path), True)
    assert restore(scene, path, file_hash(path))
    again = Session.find(scene)[0]
    assert again.state == state and facts(again) == before
    check_case(again)
    again.reset([m.key for m in again.rows])
    assert again.line(("L3-L4", *ANTERIOR[1:])) is not None
    again.close()


def test_edits_of_another_version_of_the_scene_stay_out(session: Any, scene: Any, tmp_path: Path) -> None:
    from SpineMeasureLib.review.keep import keep, restore

    path = tmp_path / "case.mrb"
    assert not restore(scene, path, "this")
    keep(scene, path, "another")
    before = facts(session)
    assert not restore(scene, path, "this")
    assert facts(session) == before


@pytest.mark.parametrize("text", ["", "[]", '{"scene": "this"}', '{"scene": "this", "cases": [{}]}', "\x00"])
def test_damaged_edits_are_told(session: Any, scene: Any, tmp_path: Path, text: str) -> None:
    from SpineMeasureLib.review.keep import kept_path, restore

    path = tmp_path / "case.mrb"
    kept_path(path).write_text(text, encoding="utf-8")
    before = json.dumps(str(facts(session)))
    with pytest.raises(UnreadableInputError):
        restore(scene, path, "this")
    assert json.dumps(str(facts(session))) == before
