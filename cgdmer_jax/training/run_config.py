"""Config fields of a run: intervals, devices, copies of the metrics."""

from dataclasses import dataclass

from cgdmer_jax.fields import Checked, setting
from cgdmer_jax.metrics_file import MOST_STEPS

TRACKERS = ("tensorboard", "wandb")


@dataclass(frozen=True)
class RunConfig(Checked):
    """`config.run`: each field's default and meaning. Intervals are in steps; none of them changes what is learned."""

    where = "config.run"

    log_every: int = setting(10, "steps from one line of metrics.jsonl to the next", least=1, most=MOST_STEPS)
    validate_every: int = setting(
        300, "steps between validations; a checkpoint is written with each, to keep the best", least=1, most=MOST_STEPS
    )
    validation_records: int = setting(
        512, "records of the validation split that each validation reads", least=1, most=MOST_STEPS
    )
    checkpoint_every: int = setting(300, "steps between checkpoints", least=1, most=MOST_STEPS)
    keep_last: int = setting(
        2, "number of latest checkpoints that are kept, beside the best one", least=1, most=MOST_STEPS
    )
    diagnose_every: int = setting(
        0, "steps between gradient norms of each loss term on one fixed batch; 0 = never", least=0, most=MOST_STEPS
    )
    trace: bool = setting(False, "whether a profiler trace of a few steps is written to the run folder's trace/")
    mesh: tuple[int, int] = setting(
        (0, 1),
        "devices along (data, fsdp): batch over both, large parameters over fsdp; 0 = all that are left",
        least=0,
        most=1 << 20,
    )
    mirrors: tuple[str, ...] = setting((), "copies of metrics.jsonl in other tools", choices=TRACKERS)
