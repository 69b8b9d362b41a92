"""head.json of a fine-tuned run folder: the head, and the checkpoint that it belongs to."""

from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.interop.prediction_head import HEAD, PredictionHead, head_from
from cgdmer_jax.recipes.trained_run import Trained
from cgdmer_jax.sealed_json import read_sealed, sealed
from cgdmer_jax.training.run_folder import RunFolder
from cgdmer_jax.whole_file import write_json

REMEDY = "run experiments.finetune again, which writes it"


class FinetunedHead(NamedTuple):
    """A head as a run folder holds it."""

    head: PredictionHead
    step: int
    checkpoint: str  # sha256 of its manifest


def write_head(run: RunFolder, head: PredictionHead, step: int, checkpoint: str) -> None:
    """Replaces the one that is there."""
    write_json(run.path / HEAD, sealed({"step": step, "checkpoint": checkpoint, "head": asdict(head)}))


def read_head(run: Path) -> FinetunedHead | None:
    """The run's own, None where it has none."""
    path = run / HEAD
    if not path.exists():
        return None
    found = read_sealed(path, remedy=REMEDY, required=True)
    step, checkpoint, head = (found.get(name) for name in ("step", "checkpoint", "head"))
    if type(step) is not int or not isinstance(checkpoint, str):
        raise CgdmerError(f"{path} does not name its checkpoint; {REMEDY}")
    return FinetunedHead(head_from(head, f"{path}: head", REMEDY), step, checkpoint)


def head_of(run: Trained) -> PredictionHead | None:
    """The head of this very checkpoint; None of a run that was not fine-tuned."""
    if run.config.method_name != "finetune":
        return None
    found = read_head(run.folder.path)
    if found is None:
        raise CgdmerError(f"{run.folder.path} has no {HEAD}; {REMEDY}")
    if found.checkpoint != run.checkpoint:
        raise CgdmerError(
            f"{run.folder.path / HEAD} belongs to step {found.step}, not to step {run.step}; leave --checkpoint out"
        )
    return found.head
