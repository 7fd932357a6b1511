"""Discs and bodies found and named in 141 patients no model was trained on, one mid-sagittal T2 slice each.

    python Testing/benchmarks/level_names.py --data ../shared/data [--bundle FOLDER] [--csv FILE]

The ground truth is eleven points per patient, L5-S1 to T12-L1 (`lumbar_points`). Found: a point is in a structure of
its kind, or one pixel beside it. Points numbered from the head instead of the sacrum (as the slice shows) are reversed.
The slices have no mm: the distance from L1 to L5 is taken as 140 mm.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from SpineMeasureLib.anatomy import Kind
from SpineMeasureLib.errors import NothingFoundError
from SpineMeasureLib.segment import segment_volume
from SpineMeasureLib.segmentation import SpineSegmentation
from SpineMeasureLib.volume import Volume

#: Even numbers are discs, odd ones bodies.
LEVELS = ("L5-S1", "L5", "L4-L5", "L4", "L3-L4", "L3", "L2-L3", "L2", "L1-L2", "L1", "T12-L1")
_L1_TO_L5_MM = 140.0
_SLICE_MM = 4.0


@dataclass(frozen=True)
class Patient:
    """What was found of one patient's points."""

    patient: str
    points: int
    found: int
    named: int
    verified: bool
    anchor: str


def main() -> None:
    """Run and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--csv", type=Path, help="one row per patient")
    arguments = parser.parse_args()
    folder = arguments.data / "lumbar_points"
    patients = []
    for case in json.loads((folder / "points.json").read_text()):
        points = {p["identification"]: np.array(p["coord"], float) for p in case["points"]}
        if points[1][1] < points[9][1]:
            points = {10 - number: point for number, point in points.items()}
        patients.append(
            score(case["id"], np.array(Image.open(folder / f"{case['id']}.png").convert("L")), points, arguments.bundle)
        )
        print(patients[-1], flush=True)
    if arguments.csv:
        with arguments.csv.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, asdict(patients[0]).keys())
            writer.writeheader()
            writer.writerows(asdict(p) for p in patients)
    report(patients)


def report(patients: list[Patient]) -> None:
    """Print the sums."""
    points, found = sum(p.points for p in patients), sum(p.found for p in patients)
    sure = [p for p in patients if p.verified]
    print(f"\npatients {len(patients)}; points {points}")
    print(f"found {found / points:.1%}; all of a patient {sum(p.found == p.points for p in patients)}")
    print(f"of those found, named as labelled {sum(p.named for p in patients) / found:.1%}")
    print(
        f"patients with verified names {len(sure)}; all found named as labelled {sum(p.named == p.found for p in sure)}"
    )


def score(patient: str, picture: np.ndarray, points: dict[int, np.ndarray], bundle: Path | None) -> Patient:
    """Segment and name one slice and look up its points.

    :param picture: uint8 array[row, column], rows downward, columns backward.
    :param points: number in `LEVELS` -> (column, row).
    """
    mm = _L1_TO_L5_MM / float(np.linalg.norm(points[1] - points[9]))
    array = np.ascontiguousarray(picture[::-1, ::-1].T[None], np.float32)  # right, anterior, superior
    try:
        found = segment_volume(Volume(array, np.diag([_SLICE_MM, mm, mm, 1.0])), bundle=bundle)
    except NothingFoundError:
        return Patient(patient, len(points), 0, 0, False, "")
    last_column, last_row = picture.shape[1] - 1, picture.shape[0] - 1
    hits = [levels_at(found, int(last_column - x), int(last_row - y), n) for n, (x, y) in points.items()]
    named = sum(LEVELS[number] in hit for number, hit in zip(points, hits, strict=True))
    return Patient(patient, len(points), sum(map(bool, hits)), named, found.level_verified, found.anchor)


def levels_at(found: SpineSegmentation, j: int, k: int, number: int) -> set[str]:
    """Levels of the discs (even numbers) or bodies at a pixel and beside it."""
    kind = Kind.BODY if number % 2 else Kind.DISC
    values = found.labels[0, max(0, j - 1) : j + 2, max(0, k - 1) : k + 2]
    return {s.level for s in found.of_kind(kind) if s.value in values}


if __name__ == "__main__":
    main()
