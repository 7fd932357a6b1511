"""A process that writes the Slicer scene: it loads slicer-core while this one segments, writes while this one draws.

It only saves time. Where it cannot be had or fails, for whatever reason, it leaves nothing and the caller writes the
scene itself. It ends with its standard input, so it does not outlive a parent that crashed.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from ...case_folder import SCENE, SEGMENTATION
from ...child import environment
from ...measure.types import Measurement
from ...segmentation import SpineSegmentation
from ...volume import Volume


class SceneProcess:
    """The process, waiting for a case, or None where there is none.

    :ivar done: whether it wrote the scene.
    """

    def __init__(self, process: subprocess.Popen[bytes] | None = None) -> None:
        self.process = process
        self.done = False

    @contextmanager
    def writing(
        self,
        folder: Path,
        volume: Volume,
        segmentation: SpineSegmentation,
        measurements: Sequence[Measurement],
        name: str,
    ) -> Iterator[None]:
        """Write ``scene.mrb`` and ``segmentation.seg.nrrd`` into `folder` while the body of the `with` runs."""
        if self.process is None or self.process.stdin is None:
            yield
            return
        with tempfile.TemporaryDirectory(prefix=".spinemeasure-", dir=folder) as own:
            try:
                with suppress(OSError), self.process.stdin as pipe:  # where it is gone, its exit code will tell
                    task = (
                        replace(volume, frames=()),
                        replace(segmentation, certainty=None),
                        measurements,
                        Path(own).resolve(),
                        name,
                    )
                    pickle.dump(task, pipe, pickle.HIGHEST_PROTOCOL)
                yield
                written = self.process.wait() == 0
            finally:
                self.end()
            if written:
                for file in (SCENE, SEGMENTATION):
                    os.replace(Path(own, file), folder / file)
                self.done = True

    def end(self) -> None:
        """End the process, whatever it does."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()


@contextmanager
def scene_process(wanted: bool) -> Iterator[SceneProcess]:
    """Start the process where it is wanted and of use."""
    if not (wanted and _of_use()):
        yield SceneProcess()
        return
    with tempfile.TemporaryDirectory(prefix="spinemeasure-", ignore_cleanup_errors=True) as temporary:
        scene = SceneProcess()
        with suppress(OSError):
            scene.process = subprocess.Popen(
                [sys.executable, "-m", __name__],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=temporary,  # empty: nothing there can be imported by mistake
                env=environment(os.environ, Path(temporary)),
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        try:
            yield scene
        finally:
            scene.end()


def _of_use() -> bool:
    """slicer-core is installed, and not loaded in this process anyway."""
    return "slicer" not in sys.modules and find_spec("slicer") is not None


def main() -> None:
    """Load slicer-core, take a case from standard input, write it."""
    from .app import mrml_application
    from .save import write_scene

    mrml_application()
    volume, segmentation, measurements, folder, name = pickle.load(sys.stdin.buffer)
    write_scene(volume, segmentation, measurements, folder / SCENE, folder / SEGMENTATION, name)


if __name__ == "__main__":
    main()
