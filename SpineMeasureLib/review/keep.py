"""Edits of a saved scene, kept in a small file beside it until the scene itself is written again.

Writing a scene bundle takes seconds, writing its records milliseconds: every edit is on disk at once.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..case_folder import KEPT, SCENE
from ..errors import UnreadableInputError
from ..files import atomic_path
from .case.derived import Live
from .case.record import read_state
from .case.state import State
from .mrml.lines import is_line
from .mrml.links import case_nodes
from .mrml.scene_case import SceneCase


def kept_path(scene_path: Path) -> Path:
    """Return the file beside a scene for the edits since it was written."""
    return scene_path.with_name(scene_path.name + KEPT.removeprefix(SCENE))


def keep(scene: Any, scene_path: Path, scene_hash: str) -> None:
    """Write the records of all cases of a scene.

    :param scene_hash: of the scene file as it was opened; the records only fit this file.
    :raises OutputError: the folder cannot be written to.
    """
    with atomic_path(kept_path(scene_path)) as temporary:
        temporary.write_text(kept_text(scene, scene_hash), encoding="utf-8")


def kept_text(scene: Any, scene_hash: str) -> str:
    """Return what `keep` writes."""
    cases = [{name: node.GetParameter(name) for name in ("case", "rows")} for node in case_nodes(scene)]
    return json.dumps({"scene": scene_hash, "cases": cases})


def restore(scene: Any, scene_path: Path, scene_hash: str) -> bool:
    """Restore the kept edits in a scene that was just opened; call this before sessions are made.

    :return: False if no edits were kept, or they were kept for another version of the scene file.
    :raises UnreadableInputError: the kept edits are damaged; nothing changes then.
    """
    path = kept_path(scene_path)
    if not path.is_file():
        return False
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["scene"] != scene_hash:
            return False
        states = [read_state(case["case"], case["rows"]) for case in content["cases"]]
        cases = [SceneCase(scene, node) for node in case_nodes(scene)]
        pairs = [(case, case.record.read(), state) for case, state in zip(cases, states, strict=True)]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnreadableInputError(
            f"The saved edits in {path.name} cannot be read.", "Move that file away to open the scene without them."
        ) from error
    for case, before, state in pairs:
        _enter(case, before, state)
    return True


def _enter(case: SceneCase, before: State, state: State) -> None:
    live = Live(state.rows)
    case.record.write(state)
    case.update_lines(state, live, state.rows)
    for number in [n for n in case.lines if n not in live.values or not is_line(live.values[n])]:
        case.remove_line(number)
    case.name_segments(before, state)
    case.arrange_lines(live)
