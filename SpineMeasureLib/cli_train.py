"""``spinemeasure train`` (from the start, or fine-tuned on corrected cases) and ``spinemeasure evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer
from rich.table import Table

from .terminal import Device, Out, console, plain_errors, terminal_progress

train_app = typer.Typer(no_args_is_help=True, help="Train the models.")


@train_app.callback()
def train() -> None:
    """Train the models."""


@train_app.command("segmentation")
def train_segmentation(
    data: Annotated[Path, typer.Option(help="Folder with the training sets; with --resume-from, of corrected cases.")],
    work: Annotated[
        Optional[Path], typer.Option(help="Checkpoints, scores and plots; a stopped run goes on from here.")
    ] = None,
    bundle: Annotated[Optional[Path], typer.Option(help="Write the final model as a bundle here.")] = None,
    resume_from: Annotated[
        Optional[Path], typer.Option(help="Bundle to fine-tune on corrected cases ('export training').")
    ] = None,
    blend: Annotated[
        float, typer.Option(min=0.05, max=1.0, help="With --resume-from: part of the new weights in the result.")
    ] = 0.5,
    minutes: Annotated[float, typer.Option(help="Time budget of each model.")] = 45.0,
    folds: Annotated[int, typer.Option(help="Parts of the patients, each held out once; with --resume-from one.")] = 3,
    only: Annotated[Optional[list[str]], typer.Option(help="Train only this: base, a fold's number or final.")] = None,
    device: Device = "auto",
    threads: Annotated[int, typer.Option(help="CPU threads; 0 for all.")] = 0,
    seed: int = 0,
) -> None:
    """Train the segmentation model, or fine-tune a bundle on corrected cases; writes a bundle with its model card."""
    if resume_from is None and work is None:
        raise typer.BadParameter("Training from the start needs a folder for its checkpoints.", param_hint="--work")
    with plain_errors():
        from .segment.device import choose_device
        from .train.command import Plan
        from .train.command import run as run_training
        from .train.finetune import FineTuning, fine_tune
        from .train.segmentation import TrainingOptions

        options = TrainingOptions(minutes=minutes, device=choose_device(device).type, threads=threads, seed=seed)
        with terminal_progress() as progress:
            if resume_from is None:
                assert work is not None
                run_training(Plan(data, work, bundle, folds, tuple(only or ()), options), progress)
                return
            tuned = fine_tune(FineTuning(resume_from, data, bundle, work, folds, blend, options), progress)
        table = Table(title=f"Held out: {', '.join(tuned.held_out)}", title_justify="left")
        for heading in ("", "before", "after"):
            table.add_column(heading, justify="left" if not heading else "right")
        for row in tuned.rows:
            table.add_row(row.measure, row.before, row.after)
        console.print(table)
        console.print(f"New model in {tuned.bundle.folder}, SHA-256 {tuned.bundle.sha256}", soft_wrap=True)


@train_app.command("synthesize")
def synthesize(
    data: Annotated[Path, typer.Option(help="Folder with the training sets: its 'anatomy' is bent.")],
    out: Out,
    count: Annotated[int, typer.Option(min=1, help="Number of cases.")] = 60,
    seed: Annotated[
        int, typer.Option(min=0, help="Number of the first case; each is the same for the same number.")
    ] = 0,
    balanced: Annotated[bool, typer.Option("--balanced", help="Regions, contrasts and diseases take turns.")] = False,
) -> None:
    """Write synthetic images of all regions and contrasts with their true labels, to train on or to test with."""
    with plain_errors(), terminal_progress() as progress:
        from .train.synth.cases import write_cases

        write_cases(data / "anatomy", out, count, seed, progress, balanced)
    console.print(f"{count} cases in {out}", soft_wrap=True)


@train_app.command("card")
def card(
    bundle: Annotated[Path, typer.Argument(help="Model bundle whose card is told.")],
    evaluation: Annotated[Path, typer.Argument(help="Output of 'evaluate' of that model on synthetic cases.")],
) -> None:
    """Put a model's scores on synthetic cases, and pictures of the worst of them, into its card."""
    with plain_errors():
        from .train.synthetic_card import add_synthetic_scores

        console.print(f"Card in {add_synthetic_scores(bundle, evaluation)}", soft_wrap=True)


def evaluate(
    prediction: Annotated[Path, typer.Argument(help="A model bundle, or a folder of label maps named as the cases.")],
    dataset: Annotated[Path, typer.Argument(help="Folder with <case>_image.nii.gz and <case>_labels.nii.gz.")],
    out: Out,
    device: Device = "auto",
) -> None:
    """Judge a model or segmentations against expert masks: overlap, surfaces, discs found and named, values."""
    with plain_errors(), terminal_progress() as progress:
        from .train.evaluation import evaluate as judge

        summary = judge(prediction, dataset, out, device, progress)
        groups = summary.pop("by_group", None)
        for silent in ("calibration", "worst"):
            summary.pop(silent, None)
        for key, value in [*summary.items(), *(groups.items() if isinstance(groups, dict) else ())]:
            if isinstance(value, dict):
                value = ", ".join(f"{k} {v}" for k, v in value.items())
            console.print(f"{key}: {value}", soft_wrap=True)
