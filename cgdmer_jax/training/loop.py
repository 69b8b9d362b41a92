"""The one training loop: resume, step, log, validate, save; it knows a method only by its contract."""

import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import jax
import tqdm
from jax.sharding import Mesh

from cgdmer_jax.batch import Batch
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.methods.protocol import Variables
from cgdmer_jax.training.checkpoint import Checkpoints
from cgdmer_jax.training.log import MetricsLog
from cgdmer_jax.training.sharding import place_batch
from cgdmer_jax.training.state import NEVER, TrainState
from cgdmer_jax.training.step import Metrics

DONE, PREEMPTED = 0, 75


@dataclass(frozen=True)
class RunConfig:
    """Intervals in steps; none of them changes what is learned."""

    log_every: int
    validate_every: int
    checkpoint_every: int
    keep_last: int


def train(
    state: TrainState,
    step_function: Callable[[TrainState, Batch], tuple[TrainState, Metrics]],
    batches: Callable[[int, int], Iterator[Batch]],
    validate: Callable[[Variables], dict[str, float]],
    learning_rate: Callable[[int], float],
    *,
    steps: int,
    config: RunConfig,
    mesh: Mesh,
    checkpoints: Checkpoints,
    log: MetricsLog,
) -> tuple[TrainState, int]:
    """Runs to `steps`, or to the step border after SIGTERM or Ctrl-C; returns the state and the exit code.

    `batches(first, last)` yields the batches of those steps; the state must be that of the first one.
    """
    stop = StopFlag()
    first = int(state.step)
    logger = _Logger(log, learning_rate)
    progress = tqdm.tqdm(total=steps, initial=first, unit="step", desc="pretrain", mininterval=1.0)
    stream = batches(first, steps)
    try:
        with stop:
            for number, batch in enumerate(stream, start=first + 1):
                state, metrics = step_function(state, place_batch(batch, mesh))
                # The device is busy with this step by now, so fetching the previous record costs it nothing.
                logger.flush()
                progress.update()
                last = number == steps
                if last or number % config.log_every == 0:
                    logger.hold(number, metrics, batch.signal.shape[0] * jax.process_count())
                validated = None
                if last or number % config.validate_every == 0:
                    logger.flush()
                    validated = validate(state.variables)
                    log.write({"step": number, **{f"validation_{k}": v for k, v in validated.items()}})
                    logger.restart_clock()
                if last or stop.is_set or number % config.checkpoint_every == 0:
                    logger.flush()
                    check_finite(state)
                    checkpoints.save(state, validated["loss"] if validated else None)
                if stop.is_set and not last:
                    return state, PREEMPTED
        return state, DONE
    finally:
        stream.close()
        progress.close()
        checkpoints.wait()


def check_finite(state: TrainState) -> None:
    """Stops the run, naming the step at which loss or gradient was no longer finite."""
    bad = int(state.first_bad_step)
    if bad != NEVER:
        raise CgdmerError(
            f"loss or gradient was not finite at step {bad}; nothing was updated or saved since. "
            "Lower config.optimizer.learning_rate, or look at the records of that step"
        )


class _Logger:
    """Holds one step's metrics on the device until the next step is under way."""

    def __init__(self, log: MetricsLog, learning_rate: Callable[[int], float]):
        self.log = log
        self.learning_rate = learning_rate
        self.held: tuple[int, Metrics, float | None] | None = None
        self.clock: tuple[int, float] | None = None  # step and time from which records/s is counted

    def hold(self, step: int, metrics: Metrics, batch_size: int) -> None:
        now = time.monotonic()
        rate = None
        if self.clock is not None:
            rate = round((step - self.clock[0]) * batch_size / (now - self.clock[1]), 2)
        self.clock = (step, now)
        self.held = (step, metrics, rate)

    def restart_clock(self) -> None:
        self.clock = None

    def flush(self) -> None:
        if self.held is None:
            return
        step, metrics, rate = self.held
        self.held = None
        values = {name: float(value) for name, value in metrics.items()}
        if values.pop("first_bad_step") != NEVER:
            raise CgdmerError(
                f"loss or gradient was not finite at step {int(metrics['first_bad_step'])}; nothing was updated or "
                "saved since. Lower config.optimizer.learning_rate, or look at the records of that step"
            )
        record = {"step": step, **values, "learning_rate": float(self.learning_rate(step - 1))}
        self.log.write(record | {"records_per_second": rate})


class StopFlag:
    """Set by SIGTERM and Ctrl-C while entered; the loop looks at it at each step border."""

    def __init__(self):
        self.is_set = False

    def __enter__(self) -> "StopFlag":
        self._before = {s: signal.signal(s, self._set) for s in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _set(self, *_) -> None:
        self.is_set = True
