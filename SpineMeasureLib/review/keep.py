"""What a reviewer did to a saved scene, kept in a small file beside it until the scene itself is written again.

Writing a scene bundle takes seconds, its record milliseconds: so every edit is on disk at once. No Qt here.
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
from .mrml.links import case_nodes
from .mrml.scene_case import SceneCase

_ENDING = KEPT.removeprefix(SCENE)


def kept_path(scene_path: Path) -> Path:
    """The file beside a scene that keeps what was done since it was written."""
    return scene_path.with_name(scene_path.name + _ENDING)


def keep(scene: Any, scene_path: Path, scene_hash: str) -> None:
    """Write the records of all cases of a scene.

    :param scene_hash: of the scene file as it was opened; the records fit no other.
    :raises OutputError: the folder cannot be written to.
    """
    with atomic_path(kept_path(scene_path)) as temporary:
        temporary.write_text(kept_text(scene, scene_hash), encoding="utf-8")


def kept_text(scene: Any, scene_hash: str) -> str:
    """What `keep` writes."""
    cases = [{name: node.GetParameter(name) for name in ("case", "rows")} for node in case_nodes(scene)]
    return json.dumps({"scene": scene_hash, "cases": cases})


def bring_back(scene: Any, scene_path: Path, scene_hash: str) -> bool:
    """Bring a scene that was just opened to the state that was kept; call it before sessions are made.

    :return: False where nothing was kept, or it was kept for another version of the scene file.
    :raises UnreadableInputError: what was kept is damaged; nothing changes then.
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
            f"The kept edits {path.name} cannot be read.", "Move that file away to open the scene without them."
        ) from error
    for case, before, state in pairs:
        _enter(case, before, state)
    return True


def _enter(case: SceneCase, before: State, state: State) -> None:
    live = Live(state.rows)
    case.record.write(state)
    case.update_lines(state, live, state.rows)
    for number in [n for n in case.lines if n not in live.values or live.values[n].p1 is None]:
        case.remove_line(number)
    case.name_segments(before, state)
    case.arrange_lines(live)
