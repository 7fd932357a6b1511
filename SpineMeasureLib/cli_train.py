"""``spinemeasure train`` (from scratch or fine-tuning on corrected cases) and ``spinemeasure evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from .cli_help import examples, group
from .cli_options import Device, Out, Quiet, Threads, number, renamed
from .terminal import console, terminal_progress

train_app = group("Train and fine-tune the model.")


@train_app.command(
    "segmentation",
    context_settings=renamed(bundle="out"),
    epilog=examples(
        "train segmentation --data training_sets --work work/training -o models/new --minutes 50",
        "train segmentation --resume-from models/spine_mri --data Dataset042_Spine --minutes 20",
    ),
)
def train_segmentation(
    data: Annotated[
        Path, typer.Option(help="Folder with the training sets; with --resume-from, with corrected cases.")
    ],
    work: Annotated[
        Optional[Path],
        typer.Option(help="Folder for checkpoints, scores and plots; an interrupted run resumes from it."),
    ] = None,
    out: Annotated[
        Optional[Path],
        typer.Option("-o", "--out", help="Folder for the new bundle; by default next to the old one."),
    ] = None,
    resume_from: Annotated[
        Optional[Path], typer.Option(help="Bundle to fine-tune on corrected cases ('export training').")
    ] = None,
    blend: Annotated[
        float,
        typer.Option(**number(0.05, 1, float), help="With --resume-from: share of the new weights in the result."),
    ] = 0.5,
    minutes: Annotated[
        float, typer.Option(**number(0, kind=float), help="Time limit for each model, in minutes.")
    ] = 45.0,
    folds: Annotated[
        int,
        typer.Option(
            **number(2), help="Number of cross-validation folds; with --resume-from, one of them is held out."
        ),
    ] = 3,
    only: Annotated[
        Optional[list[str]],
        typer.Option(help="Train only this model: base, the number of a fold, or final; may be repeated."),
    ] = None,
    device: Device = "auto",
    threads: Threads = 0,
    seed: Annotated[int, typer.Option(**number(0), help="Seed of the random numbers.")] = 0,
    quiet: Quiet = False,
) -> None:
    """Train or fine-tune the segmentation model.

    Writes a bundle with its model card.
    """
    if resume_from is None and work is None:
        raise typer.BadParameter("Training from scratch needs a folder for its checkpoints.", param_hint="'--work'")
    from .segment.device import choose_device
    from .train.finetune import FineTuning, fine_tune
    from .train.from_scratch import Plan
    from .train.from_scratch import run as run_training
    from .train.loop import TrainingOptions

    options = TrainingOptions(minutes=minutes, device=choose_device(device).type, threads=threads, seed=seed)
    with terminal_progress() as progress:
        if resume_from is None:
            assert work is not None
            run_training(Plan(data, work, out, folds, tuple(only or ()), options), progress)
            return
        tuned = fine_tune(FineTuning(resume_from, data, out, work, folds, blend, options), progress)
    from .cli_tables import plain_table

    console.print(f"Held out: {', '.join(tuned.held_out)}")
    console.show(plain_table(("", "before", "after"), [(row.measure, row.before, row.after) for row in tuned.rows]))
    console.print(f"New model in {tuned.bundle.folder}, SHA-256 {tuned.bundle.sha256}")


@train_app.command(
    "synthesize",
    epilog=examples("train synthesize --data training_sets -o synthetic_test --count 60 --seed 100000 --balanced"),
)
def synthesize(
    data: Annotated[
        Path, typer.Option(help="Folder with the training sets; cases are generated from its 'anatomy' folder.")
    ],
    out: Out,
    count: Annotated[int, typer.Option(**number(1), help="Number of cases.")] = 60,
    seed: Annotated[
        int, typer.Option(**number(0), help="Number of the first case; the same number always gives the same case.")
    ] = 0,
    balanced: Annotated[bool, typer.Option("--balanced", help="Alternate regions, contrasts and diseases.")] = False,
    quiet: Quiet = False,
) -> None:
    """Write synthetic images with labels.

    They show all regions and contrasts, for training or testing.
    """
    with terminal_progress() as progress:
        from .train.synth.cases import write_cases

        write_cases(data / "anatomy", out, count, seed, progress, balanced)
    console.print(f"{count} cases in {out}")


@train_app.command("card", epilog=examples("train card models/spine_mri out/evaluation"))
def card(
    bundle: Annotated[Path, typer.Argument(help="Model bundle whose card is updated.")],
    evaluation: Annotated[Path, typer.Argument(help="Output folder of 'evaluate' for that model on synthetic cases.")],
    quiet: Quiet = False,
) -> None:
    """Add synthetic scores to a model card.

    Also adds pictures of the worst cases.
    """
    from .train.synthetic_scores import add_synthetic_scores

    console.print(f"Card in {add_synthetic_scores(bundle, evaluation)}")


def evaluate(
    prediction: Annotated[Path, typer.Argument(help="Model bundle, or folder with label maps named like the cases.")],
    dataset: Annotated[Path, typer.Argument(help="Folder with CASE_image.nii.gz and CASE_labels.nii.gz.")],
    out: Out,
    device: Device = "auto",
    threads: Threads = 0,
    quiet: Quiet = False,
) -> None:
    """Evaluate a model against expert masks.

    Also evaluates segmentations of other programs. Reports overlap, surface distances, discs found and named, and
    agreement of the measurements.
    """
    with terminal_progress() as progress:
        from .evaluate.dataset import evaluate as judge

        summary = judge(prediction, dataset, out, device, progress)
    groups = summary.pop("by_group", None)
    for silent in ("calibration", "worst"):
        summary.pop(silent, None)
    for key, value in [*summary.items(), *(groups.items() if isinstance(groups, dict) else ())]:
        if isinstance(value, dict):
            value = ", ".join(f"{k} {v}" for k, v in value.items())
        console.print(f"{key}: {value}")
