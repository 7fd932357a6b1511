"""What a reader waits for: a line following the mouse, a case being built, saved and opened.

    python Testing/benchmarks/review.py [--moves 300]

The panel needs PySide6 (extra `test`).
Times are wall time, and processor time of this process in case the computer is busy with other things. The
spine is of closed-form shape and has 20 vertebrae above the sacrum.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from SpineMeasureLib.anatomy import Kind
from SpineMeasureLib.measure import Measurement, measure
from SpineMeasureLib.phantom import Grid, long_spine, voxelise
from SpineMeasureLib.review.mrml.app import mrml_application
from SpineMeasureLib.review.mrml.images import add_volume
from SpineMeasureLib.review.mrml.lines import is_line
from SpineMeasureLib.review.session import Session
from SpineMeasureLib.volume import Volume

MIDDLE = "disc_height_middle"


def few_lines(measurements: list[Measurement], count: int) -> list[Measurement]:
    """The rows of a case of which only some keep their lines."""
    kept = 0
    rows = []
    for m in measurements:
        if is_line(m):
            kept += 1
            if kept > count:
                m = replace(m, p1=None, p2=None)
        rows.append(m)
    return rows


def timed(action: Callable[[], Any]) -> tuple[float, float, Any]:
    """Wall and processor milliseconds of an action, and what it returns."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = action()
    return 1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - cpu), result


def drag(session: Session, moves: int) -> tuple[list[float], list[float], tuple[float, float]]:
    """Milliseconds of every move of an end while it is dragged (wall, processor), and of the step at the end.

    The events are the ones that Slicer's markups widget sends; rendering is not included.
    """
    import slicer

    key = next(m.key for m in session.rows if m.quantity == MIDDLE and session.line(m.key) is not None)
    line, row = session.line(key), session.row(key)
    line.InvokeEvent(slicer.vtkMRMLMarkupsNode.PointStartInteractionEvent)
    walls, cpus = [], []
    for n in range(moves):
        aim = np.array(row.p2) + [0, 3 * np.sin(n / 20), -2 + np.cos(n / 15)]
        wall, cpu, _ = timed(lambda aim=aim: line.SetNthControlPointPositionWorld(1, *aim))
        walls.append(wall)
        cpus.append(cpu)
    wall, cpu, _ = timed(lambda: line.InvokeEvent(slicer.vtkMRMLMarkupsNode.PointEndInteractionEvent))
    session.undo()
    return walls, cpus, (wall, cpu)


def unwatched(session: Session, moves: int) -> list[float]:
    """The same moves of a line that nobody watches: what MRML itself takes."""
    session.close()
    line = next(iter(session.nodes.lines.values()))
    p2 = np.array(line.GetNthControlPointPositionWorld(1))
    aims = [p2 + [0, np.sin(n / 20), 0] for n in range(moves)]
    return [timed(lambda aim=aim: line.SetNthControlPointPositionWorld(1, *aim))[0] for aim in aims]


def with_panel(session: Session, moves: int) -> tuple[tuple[float, float], list[float], list[float]]:
    """Milliseconds to show a case in the module's panel (wall, processor), and of every move with the panel there.

    The panel is drawn by the stand-ins of the widget tests, not by Slicer.
    """
    import slicer

    from Testing.widget.application import install, module_classes

    _, remove = install(mrml_application())
    slicer.app._testing = True
    panel = module_classes().SpineMeasureWidget()
    panel.enter()
    panel.ui.quantityFilter.setCurrentText("All values")
    wall, cpu, _ = timed(lambda: panel.addSession(session))
    walls, cpus, _ = drag(session, moves)
    panel.cleanup()
    remove()
    return (wall, cpu), walls, cpus


def spread(values: list[float]) -> str:
    """Median, 95th percentile and maximum."""
    return f"{statistics.median(values):8.2f} {np.percentile(values, 95):8.2f} {max(values):8.2f}"


def main() -> None:
    """Run and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moves", type=int, default=300)
    moves = parser.parse_args().moves
    scene = mrml_application().scene
    segmentation = voxelise(long_spine(), Grid((4.0, 0.8, 0.8)))
    image = Volume(segmentation.labels.astype(np.int16), segmentation.affine)
    wall, cpu, measurements = timed(lambda: measure(segmentation))
    print(f"spine of {len(segmentation.of_kind(Kind.BODY))} vertebrae, {segmentation.labels.shape} voxels, "
          f"{len(measurements)} values; measuring it {wall / 1e3:.1f} s ({cpu / 1e3:.1f} s processor)\n")  # fmt: skip
    print("one move of a dragged end (ms)         median      95 %      max   at the end")
    for count in (10, 120):
        scene.Clear(0)
        session = Session.build(scene, add_volume(scene, image, "T2"), segmentation, few_lines(measurements, count))
        walls, cpus, end = drag(session, moves)
        lines = len(session.nodes.lines)
        print(f"{lines:4d} lines, wall time                {spread(walls)} {end[0]:10.1f}")
        print(f"{lines:4d} lines, processor time           {spread(cpus)} {end[1]:10.1f}")
        print(f"{lines:4d} lines, the same without session {spread(unwatched(session, moves))}")
    scene.Clear(0)
    session = Session.build(scene, add_volume(scene, image, "T2"), segmentation, few_lines(measurements, 120))
    shown, walls, cpus = with_panel(session, moves)
    print(f" 120 lines and the panel, wall time   {spread(walls)}")
    print(f" 120 lines and the panel, processor   {spread(cpus)}")
    scene.Clear(0)
    volume = add_volume(scene, image, "T2")
    wall, cpu, session = timed(lambda: Session.build(scene, volume, segmentation, measurements))
    print("\nseconds                                  wall  processor")
    print(f"building the session, {len(session.nodes.lines)} lines        {wall / 1e3:7.2f} {cpu / 1e3:10.2f}")
    print(f"showing it in the panel, surfaces too {shown[0] / 1e3:7.2f} {shown[1] / 1e3:10.2f}")
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/case.mrb"
        wall, cpu, done = timed(lambda: scene.WriteToMRB(path))
        assert done
        megabytes = Path(path).stat().st_size / 1e6
        print(f"saving the scene ({megabytes:.1f} MB)             {wall / 1e3:7.2f} {cpu / 1e3:10.2f}")
        wall, cpu, done = timed(lambda: scene.ReadFromMRB(path, True))
        assert done
        print(f"opening the scene                     {wall / 1e3:7.2f} {cpu / 1e3:10.2f}")
        wall, cpu, (session,) = timed(lambda: Session.find(scene))
        print(f"finding the case in it                {wall / 1e3:7.2f} {cpu / 1e3:10.2f}")
    for text, action in (
        ("accepting all values", lambda: session.accept([m.key for m in session.rows], "AB")),
        ("undo of that", session.undo),
        ("shifting all levels, first time", lambda: session.shift_levels(1)),
        ("shifting them back", lambda: session.shift_levels(-1)),
    ):
        wall, cpu, _ = timed(action)
        print(f"{text:37s} {wall / 1e3:7.2f} {cpu / 1e3:10.2f}")
    session.close()


if __name__ == "__main__":
    main()
