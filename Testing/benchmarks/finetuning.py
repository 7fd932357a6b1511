"""How much fine-tuning on corrected cases helps, on synthetic spines of a contrast that the model does badly on.

    python Testing/benchmarks/finetuning.py WORK [--cases 9] [--minutes 10] [--contrast stir] [--blend 0.5]

The labels of every case are the true ones: what a reader leaves who corrects every mistake of the model. Writes the
data set and the new bundle into WORK and prints the table of the held-out cases.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

FIRST_SEED = 300


def write_cases(folder: Path, count: int, contrast: str) -> None:
    """Add synthetic cases with true labels to an nnU-Net data set."""
    from SpineMeasureLib.export.training import TrainingCase, add_to_nnunet
    from SpineMeasureLib.phantom.sample import synthesize
    from SpineMeasureLib.segment.labels.by_value import segmentation_from_labels

    for seed in range(FIRST_SEED, FIRST_SEED + count):
        case = synthesize(seed, contrast)
        corrected = segmentation_from_labels(case.labels)
        add_to_nnunet(TrainingCase(case.image, corrected, [], f"synthetic{seed}", "benchmark"), folder)


def main() -> None:
    """Write the cases and run ``spinemeasure train segmentation --resume-from``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--cases", type=int, default=9)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--contrast", default="stir")
    parser.add_argument("--blend", type=float, default=0.5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    from SpineMeasureLib.resources import data_path

    data = options.work / "Dataset001_Synthetic"
    if not data.exists():
        write_cases(data, options.cases, options.contrast)
    command = [sys.executable, "-m", "SpineMeasureLib.cli", "train", "segmentation", "--data", data]
    command += ["--resume-from", data_path("models/spine_mri"), "--out", options.work / "spine_mri_finetuned"]
    command += ["--minutes", options.minutes, "--threads", options.threads, "--device", options.device]
    command += ["--blend", options.blend]
    subprocess.run([str(word) for word in command], check=True)


if __name__ == "__main__":
    main()
