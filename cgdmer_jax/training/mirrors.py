"""Copies of the metrics for TensorBoard and Weights & Biases, on request; metrics.jsonl stays the record.

Only numbers are handed on: no report text, no patient field, no path but the run's own.
"""

import os
from collections.abc import Callable
from pathlib import Path

from cgdmer_jax.errors import CgdmerError, suggest

Mirror = Callable[[int, dict[str, float]], None]

# By itself W&B also sends host, hardware, command line, packages, code, git state and console output.
WANDB_SETTINGS = {
    "console": "off",
    "disable_code": True,
    "disable_git": True,
    "host": "",
    "save_code": False,
    "x_disable_machine_info": True,
    "x_disable_meta": True,
    "x_disable_stats": True,
    "x_save_requirements": False,
}
# Where the user has not set them: no crash reports, and a project not named after the folder of the checkout.
WANDB_ENVIRONMENT = {"WANDB_ERROR_REPORTING": "false", "WANDB_PROJECT": "cgdmer_jax"}


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

    What still goes with the numbers: the run's name, the versions of wandb and Python, and which well-known libraries
    are imported. W&B cannot cut: after a resume it drops the repeated steps.
    """
    for name, value in WANDB_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        import wandb
    except ImportError as error:
        raise _not_installed("wandb", "wandb") from error
    try:
        settings = wandb.Settings(**WANDB_SETTINGS)
    except (TypeError, ValueError) as error:  # of a version that lacks one of them, and so would send what it hides
        raise CgdmerError(
            f"wandb {wandb.__version__} does not take the settings that keep machine, code and console private "
            f"({', '.join(WANDB_SETTINGS)}); pip install --upgrade wandb, or leave wandb out of config.run.mirrors"
        ) from error
    started = wandb.init(dir=str(run), name=run.name, id=run.name, resume="allow", settings=settings)

    def mirror(step: int, numbers: dict[str, float]) -> None:
        started.log(numbers, step=step)

    return mirror


def _not_installed(name: str, package: str) -> CgdmerError:
    return CgdmerError(
        f"config.run.mirrors names {name}, which is not installed; pip install {package}, or leave it out"
    )


MIRRORS: dict[str, Callable[[Path, int], Mirror]] = {"tensorboard": _tensorboard, "wandb": _wandb}
