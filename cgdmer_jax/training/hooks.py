"""Hooks that a run calls between two steps: validation, diagnosis, checkpoint."""

from collections.abc import Callable
from dataclasses import dataclass

from cgdmer_jax.methods.protocol import Variables
from cgdmer_jax.training.checkpoint import Checkpoints
from cgdmer_jax.training.log import StepLogger
from cgdmer_jax.training.patience import Patience
from cgdmer_jax.training.run_config import RunConfig
from cgdmer_jax.training.state import TrainState, check_finite

Measure = Callable[[Variables], dict[str, float]]  # figures by name, for metrics.jsonl


@dataclass(frozen=True)
class Hook:
    """Something that the loop runs behind some of its steps; `run` is given the step's number and the state behind it.

    All metrics of steps so far are in metrics.jsonl by then.
    """

    every: tuple[int, ...]  # due at the multiples of each of these
    run: Callable[[int, TrainState], None]
    at_end: bool = False  # behind the last step too
    at_stop: bool = False  # and behind the step at which a signal ends this start

    def due(self, step: int, *, last: bool, stopping: bool) -> bool:
        asked = (last and self.at_end) or (stopping and self.at_stop)
        return asked or any(step % interval == 0 for interval in self.every)


def hooks_of(
    config: RunConfig,
    validate: Measure,
    diagnose: Measure,
    checkpoints: Checkpoints,
    logger: StepLogger,
    patience: Patience,
) -> tuple[Hook, ...]:
    """Validation, diagnosis and checkpoint, in the order in which they come when several are due behind one step."""
    losses: dict[int, float] = {}  # of the validation behind the same step, if any: it tells which checkpoint is best

    def report(step: int, figures: dict[str, float]) -> None:
        logger.log.write({"step": step, **figures})
        logger.restart_clock(step)

    def validation(step: int, state: TrainState) -> None:
        figures = validate(state.variables)
        losses[step] = figures["loss"]
        patience.note(figures["loss"])
        report(step, {f"validation_{name}": value for name, value in figures.items()})

    def diagnosis(step: int, state: TrainState) -> None:
        report(step, diagnose(state.variables))

    def checkpoint(step: int, state: TrainState) -> None:
        check_finite(int(state.first_bad_step))
        checkpoints.save(state, losses.pop(step, None))

    return (
        Hook((config.validate_every,), validation, at_end=True),
        Hook((config.diagnose_every,) if config.diagnose_every else (), diagnosis),
        Hook((config.validate_every, config.checkpoint_every), checkpoint, at_end=True, at_stop=True),
    )
