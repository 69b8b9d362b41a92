"""Copies of the metrics for TensorBoard and Weights & Biases, on request; metrics.jsonl stays the record.

Only numbers are handed on: no report text, no patient field, no path but the run's own.
"""

from collections.abc import Callable
from pathlib import Path

from cgdmer_jax.errors import CgdmerError, suggest

Mirror = Callable[[int, dict[str, float]], None]


def open_mirrors(names: tuple[str, ...], run: Path, first_step: int) -> list[Mirror]:
    """`config.run.mirrors` as functions of (step, numbers); TensorBoard cuts what stood after `first_step`."""
    for name in names:
        if name not in MIRRORS:
            raise CgdmerError(f'config.run.mirrors names "{name}".{suggest(name, MIRRORS)}')
    return [MIRRORS[name](run, first_step) for name in names]


def _tensorboard(run: Path, first_step: int) -> Mirror:
    try:
        from tensorboardX import SummaryWriter
    except ImportError as error:
        raise _not_installed("tensorboard", "tensorboardX") from error
    writer = SummaryWriter(str(run / "tensorboard"), purge_step=first_step + 1, flush_secs=10)

    def mirror(step: int, numbers: dict[str, float]) -> None:
        for name, value in numbers.items():
            writer.add_scalar(name, value, step)
        writer.flush()

    return mirror


def _wandb(run: Path, first_step: int) -> Mirror:
    """Project, entity and offline mode are W&B's own environment variables (WANDB_PROJECT, WANDB_MODE, ...).

    By itself W&B also sends console output, command line, host and git state; its variables (WANDB_CONSOLE=off,
    WANDB_DISABLE_GIT=true) and settings turn that off. It cannot cut: after a resume it drops the repeated steps.
    """
    try:
        import wandb
    except ImportError as error:
        raise _not_installed("wandb", "wandb") from error
    started = wandb.init(dir=str(run), name=run.name, id=run.name, resume="allow")

    def mirror(step: int, numbers: dict[str, float]) -> None:
        started.log(numbers, step=step)

    return mirror


def _not_installed(name: str, package: str) -> CgdmerError:
    return CgdmerError(
        f"config.run.mirrors names {name}, which is not installed; pip install {package}, or leave it out"
    )


MIRRORS: dict[str, Callable[[Path, int], Mirror]] = {"tensorboard": _tensorboard, "wandb": _wandb}
