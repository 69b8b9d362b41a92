"""The one training loop: resume, step, log, hooks; it knows neither the method nor what its hooks do."""

from collections.abc import Callable, Generator, Sequence

import jax
from jax.sharding import Mesh

from cgdmer_jax.batch import Batch
from cgdmer_jax.early_stop import PREEMPTED
from cgdmer_jax.progress import progress_bar
from cgdmer_jax.training.coordination import is_first
from cgdmer_jax.training.hooks import Hook
from cgdmer_jax.training.log import StepLogger
from cgdmer_jax.training.run_config import RunConfig
from cgdmer_jax.training.sharding import place_batch
from cgdmer_jax.training.state import TrainState
from cgdmer_jax.training.step import Metrics
from cgdmer_jax.training.stop import StopFlag
from cgdmer_jax.training.trace import Trace

DONE = 0
COMPILING, TRAINING = "compiling, one to two minutes", "training"  # names of the progress bar


def train(
    state: TrainState,
    step_function: Callable[[TrainState, Batch], tuple[TrainState, Metrics]],
    batches: Callable[[int, int], Generator[Batch]],
    hooks: Sequence[Hook],
    *,
    steps: int,
    config: RunConfig,
    mesh: Mesh,
    logger: StepLogger,
    stop: StopFlag,
    enough: Callable[[], bool] = lambda: False,
) -> tuple[TrainState, int]:
    """Runs to `steps`, or to the step border after `stop` is set; returns the state and the exit code.

    `batches(first, last)` yields this host's rows of the batches of those steps; the state must be that of the first
    one. `hooks` run in their order, each behind the steps at which it is due. The training is done, too, at the step
    border at which `enough` says so.
    """
    first = int(state.step)
    if stop.is_set:  # while the run was set up: there is nothing new to save
        return state, PREEMPTED
    if enough():  # it had ended when it was started again
        return state, DONE
    trace = Trace(logger.log.path.parent / "trace" if config.trace else None)
    progress = progress_bar(
        steps, "step", COMPILING if first < steps else TRAINING, done=min(first, steps), shown=is_first()
    )
    stream = batches(first, steps)
    try:
        for number, batch in enumerate(stream, start=first + 1):
            trace.before(number - first)
            state, metrics = step_function(state, place_batch(batch, mesh))
            if number == first + 1:  # the call returns once the step is compiled
                progress.set_description(TRAINING)
            trace.after(number - first, metrics)
            # The device is busy with this step by now, so fetching the previous record costs it nothing.
            logger.flush()
            progress.update()
            last = number == steps
            stopping = stop.reached(number - first) and not last  # asked once: a signal may come at any time
            if last or number % config.log_every == 0:
                logger.hold(number, metrics, batch.signal.shape[0] * jax.process_count())
            for hook in hooks:
                if hook.due(number, last=last, stopping=stopping):
                    logger.flush()
                    hook.run(number, state)
            if stopping or enough():
                break
        return state, DONE if int(state.step) >= steps or enough() else PREEMPTED
    finally:
        trace.close()
        stream.close()
        progress.close()
