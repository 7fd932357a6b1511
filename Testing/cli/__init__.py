"""Time and memory of the whole `measure` command, stage by stage, each run in a separate process.

    python Testing/benchmarks/speed.py [IMAGE] [--runs 3] [--device cpu] [--threads 2]

Without IMAGE the bundled (synthetic) sample is resampled to 20 x 640 x 512 voxels, the size of a usual lumbar slab.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

SHAPE = (20, 640, 512)


def large_sample(folder: Path) -> Path:
    """The bundled sample on a grid of 20 x 640 x 512 voxels."""
    from scipy import ndimage

    from SpineMeasureLib.io.read import read_volume
    from SpineMeasureLib.io.write import write_volume
    from SpineMeasureLib.orientation import slice_order, slice_spacing
    from SpineMeasureLib.resources import data_path
    from SpineMeasureLib.volume import Volume

    sample = read_volume(data_path("Resources/sample/lumbar_t2.nii.gz"))
    image = slice_order(sample.array, sample.affine)
    zoomed = ndimage.zoom(image.astype(np.float32), [n / m for n, m in zip(SHAPE, image.shape, strict=True)], order=1)
    spacing = [d * m / n for d, n, m in zip(slice_spacing(sample.affine), SHAPE, image.shape, strict=True)]
    affine = np.array([[spacing[0], 0, 0, 0], [0, 0, spacing[2], 0], [0, spacing[1], 0, 0], [0, 0, 0, 1.0]])
    path = folder / "large.nii.gz"
    write_volume(Volume(zoomed.astype(np.int16), affine), path)
    return path


def measure_once(image: Path, out: Path, device: str, threads: int) -> tuple[float, float, dict[str, float]]:
    """Wall seconds, peak memory in GB and seconds per stage of one run."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    command = [sys.executable, "-m", "SpineMeasureLib.cli", "measure", str(image), "-o", str(out), "--device", device]
    start = time.perf_counter()
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    wall = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024**2
    return wall, peak, json.loads((out / "run.json").read_text())["seconds"]


def main() -> None:
    """Run and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("image", nargs="?", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        image = options.image or large_sample(Path(folder))
        runs = [measure_once(image, Path(folder) / "out", options.device, options.threads) for _ in range(options.runs)]
    print(f"{options.runs} runs on {options.device}, {options.threads} threads; median (minimum - maximum)")
    walls = [wall for wall, _, _ in runs]
    print(f"{'whole command':22s} {statistics.median(walls):6.2f} s ({min(walls):.2f} - {max(walls):.2f})")
    print(f"{'peak memory':22s} {max(peak for _, peak, _ in runs):6.2f} GB")
    for stage in runs[0][2]:
        seconds = [stages[stage] for _, _, stages in runs]
        print(f"  {stage:20s} {statistics.median(seconds):6.2f} s ({min(seconds):.2f} - {max(seconds):.2f})")


if __name__ == "__main__":
    main()
