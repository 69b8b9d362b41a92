"""Config fields of a run: intervals, devices, copies of the metrics."""

from dataclasses import dataclass

from cgdmer_jax.config import setting
from cgdmer_jax.errors import CgdmerError


@dataclass(frozen=True)
class RunConfig:
    """`config.run`: each field's default and meaning. Intervals are in steps; none of them changes what is learned."""

    log_every: int = setting(10, "steps from one line of metrics.jsonl to the next")
    validate_every: int = setting(300, "steps between validations; a checkpoint is written with each, to keep the best")
    validation_records: int = setting(512, "records of the validation split that each validation reads")
    checkpoint_every: int = setting(300, "steps between checkpoints")
    keep_last: int = setting(2, "number of latest checkpoints that are kept, beside the best one")
    diagnose_every: int = setting(0, "steps between gradient norms of each loss term on one fixed batch; 0 = never")
    trace: bool = setting(False, "whether a profiler trace of a few steps is written to the run folder's trace/")
    mesh: tuple[int, int] = setting(
        (0, 1), "devices along (data, fsdp): batch over both, large parameters over fsdp; 0 = all that are left"
    )
    mirrors: tuple[str, ...] = setting((), "copies of metrics.jsonl for `tensorboard` or `wandb`")

    def __post_init__(self):
        lowest = {"log_every": 1, "validate_every": 1, "checkpoint_every": 1, "keep_last": 1, "diagnose_every": 0}
        for name, least in lowest.items():
            if (value := getattr(self, name)) < least:
                raise CgdmerError(f"config.run.{name} is {value}; give a number of at least {least}")
