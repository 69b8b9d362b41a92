"""The one training loop: resume, step, log, validate, save; it knows a method only by its contract."""

from collections.abc import Callable, Generator

import jax
from jax.sharding import Mesh

from cgdmer_jax.batch import Batch
from cgdmer_jax.methods.protocol import Variables
from cgdmer_jax.progress import progress_bar
from cgdmer_jax.training.checkpoint import Checkpoints
from cgdmer_jax.training.coordination import is_first
from cgdmer_jax.training.log import MetricsLog, StepLogger
from cgdmer_jax.training.run_config import RunConfig
from cgdmer_jax.training.sharding import place_batch
from cgdmer_jax.training.state import TrainState, check_finite
from cgdmer_jax.training.step import Metrics
from cgdmer_jax.training.stop import StopFlag
from cgdmer_jax.training.trace import Trace

DONE, PREEMPTED = 0, 75


def train(
    state: TrainState,
    step_function: Callable[[TrainState, Batch], tuple[TrainState, Metrics]],
    batches: Callable[[int, int], Generator[Batch]],
    validate: Callable[[Variables], dict[str, float]],
    diagnose: Callable[[Variables], dict[str, float]],
    learning_rate: Callable[[int], float],
    share_a_record: float | None,
    *,
    steps: int,
    config: RunConfig,
    mesh: Mesh,
    checkpoints: Checkpoints,
    log: MetricsLog,
    stop: StopFlag,
) -> tuple[TrainState, int]:
    """Runs to `steps`, or to the step border after `stop` is set; returns the state and the exit code.

    `share_a_record`: see StepLogger.
    `batches(first, last)` yields this host's rows of the batches of those steps; the state must be that of the first
    one.
    """
    first = int(state.step)
    if stop.is_set:  # while the run was set up: there is nothing new to save
        return state, PREEMPTED
    logger = StepLogger(log, learning_rate, share_a_record)
    trace = Trace(log.path.parent / "trace" if config.trace else None)
    progress = progress_bar(steps, "step", "pretrain", done=min(first, steps), shown=is_first())
    stream = batches(first, steps)
    try:
        for number, batch in enumerate(stream, start=first + 1):
            trace.before(number - first)
            state, metrics = step_function(state, place_batch(batch, mesh))
            trace.after(number - first, metrics)
            # The device is busy with this step by now, so fetching the previous record costs it nothing.
            logger.flush()
            progress.update()
            last = number == steps
            stopping = stop.reached(number - first) and not last  # asked once: a signal may come at any time
            if last or number % config.log_every == 0:
                logger.hold(number, metrics, batch.signal.shape[0] * jax.process_count())
            validated = None
            if last or number % config.validate_every == 0:
                logger.flush()
                validated = validate(state.variables)
                log.write({"step": number, **{f"validation_{k}": v for k, v in validated.items()}})
                logger.restart_clock(number)
            if config.diagnose_every and number % config.diagnose_every == 0:
                logger.flush()
                log.write({"step": number, **diagnose(state.variables)})
                logger.restart_clock(number)
            if validated is not None or stopping or number % config.checkpoint_every == 0:
                logger.flush()
                check_finite(int(state.first_bad_step))
                checkpoints.save(state, validated["loss"] if validated else None)
            if stopping:
                break
        checkpoints.wait()
        log.close()
        return state, DONE if int(state.step) >= steps else PREEMPTED
    finally:
        trace.close()
        stream.close()
        progress.close()
