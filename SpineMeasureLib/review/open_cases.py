"""The cases of a scene that are open: which session belongs to which node."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from .mrml.editor import Quietly
from .mrml.links import case_nodes
from .session import Session


class OpenCases:
    """One session per case of a scene.

    :ivar sessions: from the oldest to the newest.
    """

    def __init__(self, scene: Any, quietly: Quietly = nullcontext) -> None:
        """Start with none. :param quietly: see `Session`."""
        self.sessions: list[Session] = []
        self._scene, self._quietly = scene, quietly

    def find(self) -> list[Session]:
        """Open every case of the scene that is not open, and return those sessions.

        :raises UnreadableInputError: the record of one cannot be read.
        """
        known = [session.nodes.case for session in self.sessions]
        found = [Session(self._scene, node, self._quietly) for node in case_nodes(self._scene) if node not in known]
        self.sessions += found
        return found

    def add(self, session: Session) -> None:
        """Add a session; an older one of the same segmentation is closed."""
        for old in [each for each in self.sessions if each.nodes.segmentation is session.nodes.segmentation]:
            self.forget(old)
        self.sessions.append(session)

    def forget(self, session: Session) -> None:
        """Close a session; its nodes stay in the scene."""
        self.sessions.remove(session)
        session.close()

    def close(self) -> None:
        """Close all sessions."""
        for session in list(self.sessions):
            self.forget(session)

    def of_volume(self, volume: Any) -> Session | None:
        """Return the newest case of an image node; None if there is none."""
        return self._newest("volume", volume)

    def of_segmentation(self, segmentation: Any) -> Session | None:
        """Return the newest case of a segmentation node; None if there is none."""
        return self._newest("segmentation", segmentation)

    def forget_removed(self, node: Any = None) -> None:
        """Close the sessions whose record was deleted.

        :param node: a node that is being removed.
        """
        for session in list(self.sessions):
            if session.nodes.case is None or session.nodes.case is node:
                self.forget(session)

    @property
    def emptied(self) -> list[Session]:
        """Cases whose image, segmentation and table were deleted: nobody can see their values."""
        return [
            session
            for session in self.sessions
            if not any((session.nodes.volume, session.nodes.segmentation, session.nodes.table))
        ]

    def remove_emptied(self) -> None:
        """Remove what is left of emptied cases from the scene, such as their lines."""
        for session in self.emptied:
            self.forget(session)
            session.remove()

    def _newest(self, role: str, node: Any) -> Session | None:
        found = (each for each in reversed(self.sessions) if node is not None and getattr(each.nodes, role) is node)
        return next(found, None)
