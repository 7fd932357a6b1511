"""Seconds of every export of a measured case of 20 vertebrae, each in this one process.

    python Testing/benchmarks/exports.py [--runs 3]

Wall time, and processor time of this process in case the computer is busy with other things (the PDF is printed
by a browser, whose processor time is not counted). The spine is of closed-form shape, as a classic DICOM series.
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

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from SpineMeasureLib.anatomy import Kind
from SpineMeasureLib.errors import DependencyError
from SpineMeasureLib.export.case_files import write_report_files
from SpineMeasureLib.export.dicom.seg import make_seg
from SpineMeasureLib.export.dicom.source import read_source, write_dataset
from SpineMeasureLib.export.dicom.sr import make_sr
from SpineMeasureLib.export.report.page import ReportOptions
from SpineMeasureLib.export.report.pdf import write_pdf
from SpineMeasureLib.export.tables import write_csv, write_json
from SpineMeasureLib.export.training import TrainingCase, add_to_bids, add_to_nnunet
from SpineMeasureLib.grid import on_grid_of
from SpineMeasureLib.io.read import read_volume
from SpineMeasureLib.measure import measure
from SpineMeasureLib.phantom import Grid, long_spine, voxelise
from SpineMeasureLib.volume import Volume
from Testing.library.dicom_study import write_study

MODEL = {"model": "spine_mri", "model_version": "0", "model_sha256": "0" * 64}


def timed(name: str, action: Callable[[], object], runs: int) -> None:
    """Print median and maximum of wall time and of processor time."""
    walls, cpus = [], []
    for _ in range(runs):
        wall, cpu = time.perf_counter(), time.process_time()
        action()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    print(f"{name:34s} {statistics.median(walls):7.2f} {max(walls):7.2f} {statistics.median(cpus):10.2f}", flush=True)


def main() -> None:
    """Run and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        made = voxelise(long_spine(), Grid((4.0, 0.8, 0.8)))
        noise = np.random.default_rng(0).normal(0, 20, made.labels.shape)
        image = (200 + 3.0 * made.labels + noise).clip(0, 2000).astype(np.int16)
        volume = read_volume(write_study(folder / "study", Volume(image, made.affine)))
        labels = on_grid_of(volume, made.as_volume())
        segmentation = replace(made, labels=labels.array, affine=labels.affine, provenance=MODEL)
        rows = measure(segmentation)
        source = read_source(volume)
        seg = make_seg(segmentation, source)
        case = TrainingCase(volume, segmentation, rows, "long")
        print(f"{len(segmentation.of_kind(Kind.BODY))} vertebrae, {volume.array.shape} voxels, {len(rows)} values")
        print(f"{'seconds':34s} {'median':>7s} {'max':>7s} {'processor':>10s}")
        timed("table (CSV)", lambda: write_csv(rows, folder / "a.csv", "case"), runs)
        timed("everything (JSON)", lambda: write_json(rows, {}, folder / "a.json"), runs)
        timed("DICOM SEG", lambda: write_dataset(make_seg(segmentation, source), folder / "a.dcm"), runs)
        timed("DICOM SR", lambda: write_dataset(make_sr(rows, segmentation, source, seg=seg), folder / "b.dcm"), runs)
        timed(
            "report (HTML, text)",
            lambda: write_report_files(folder, volume, segmentation, rows, ReportOptions()),
            runs,
        )
        try:
            timed("report (PDF of that HTML)", lambda: write_pdf(folder / "report.html", folder / "report.pdf"), runs)
        except DependencyError as error:
            print(error)
        timed("training case (nnU-Net)", lambda: add_to_nnunet(case, folder / "nnunet"), runs)
        timed("training case (BIDS)", lambda: add_to_bids(case, folder / "bids"), runs)


if __name__ == "__main__":
    main()
