"""One start of a training run: from its parts to the loop, in its run folder."""

import contextlib
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

import jax
from jax.sharding import Mesh
from jaxtyping import PRNGKeyArray
from ml_collections import ConfigDict
from tokenizers import Tokenizer

from cgdmer_jax import early_stop
from cgdmer_jax.batch import Batch
from cgdmer_jax.contract import InputContract
from cgdmer_jax.data.text.tokenizer import save_tokenizer
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.fields import from_fields
from cgdmer_jax.methods.protocol import Method, Variables
from cgdmer_jax.recipes import build
from cgdmer_jax.training import loop, placement
from cgdmer_jax.training.checkpoint import Checkpoints
from cgdmer_jax.training.coordination import is_first, of_first
from cgdmer_jax.training.hooks import hooks_of
from cgdmer_jax.training.log import MetricsLog, StepLogger
from cgdmer_jax.training.mirrors import open_mirrors
from cgdmer_jax.training.optimizer import Optimizer, OptimizerConfig, make_optimizer, schedule
from cgdmer_jax.training.patience import Patience
from cgdmer_jax.training.run_config import RunConfig
from cgdmer_jax.training.run_folder import RunFolder
from cgdmer_jax.training.sharding import place_batch
from cgdmer_jax.training.state import TrainState, start
from cgdmer_jax.training.step import make_step
from cgdmer_jax.training.stop import StopFlag


@dataclass(frozen=True)
class TrainingSetup:
    """Everything the loop needs: method and state, batches, validation."""

    method: Method
    state: TrainState  # of step 0, every array where training wants it
    optimizer: Optimizer
    optimizer_config: OptimizerConfig
    key: PRNGKeyArray  # of the draws
    batches: Callable[[int, int], Generator[Batch]]
    validate: Callable[[Variables], dict[str, float]]
    diagnose: Callable[[Variables], dict[str, float]]
    contract: InputContract | None  # None: the method reads no recordings
    tokenizer: Tokenizer
    share_a_record: float | None  # model_flops.share_a_record
    given_weights: bool  # the first weights are those of another folder, which the run shall need no more
    patience: int = 0  # validations in a row without a lower loss that end the training; 0 = it never ends early
    before: dict[str, float] = field(default_factory=dict)  # figures of step 0, for metrics.jsonl of a new run


def train_in(
    run: RunFolder, config: ConfigDict, parts: TrainingSetup, *, allowed: tuple[str, ...], mesh: Mesh
) -> tuple[TrainState, int]:
    """Goes on from the run's own last checkpoint, else from the given state; the last state and the exit code.

    On several hosts all of them train, and host 0 keeps the folder.
    """
    steps, run_config = parts.optimizer_config.steps, from_fields(RunConfig, config.run.to_dict())
    locked = run.locked() if is_first() else contextlib.nullcontext()
    with locked, Checkpoints(run.checkpoints, config.run.keep_last) as checkpoints:
        of_first("the run folder is begun", lambda: _begin(run, config, parts, allowed))
        if not run.exists():
            raise CgdmerError(
                f"{run.path} has no config.json here, which host 0 has written there; "
                "--workdir must be one folder that all hosts share"
            )
        log = MetricsLog(run.metrics)
        new_weights = parts.given_weights and of_first("no checkpoint yet", lambda: not checkpoints.steps())
        state, own = _go_on(parts.state, checkpoints, log)
        if parts.given_weights and not own and not new_weights:
            raise CgdmerError(
                f"no checkpoint in {run.checkpoints} is intact, and the run's first weights are in no other place; "
                "take another --workdir"
            )
        if is_first():
            log.mirrors = open_mirrors(tuple(config.run.mirrors), run.path, int(state.step))
        if parts.before:
            log.write({"step": 0, **parts.before})
        if new_weights:
            checkpoints.save(state, None)  # from here on the run needs the other folder no more
        first, begun = int(state.step), time.monotonic()
        placed = jax.tree.map(lambda x: x.sharding, parts.state)
        step = make_step(parts.method, parts.optimizer, parts.key, steps, placed)
        logger = StepLogger(log, schedule(parts.optimizer_config), parts.share_a_record)
        patience = Patience(parts.patience, log.values("validation_loss", first))
        hooks = hooks_of(run_config, parts.validate, parts.diagnose, checkpoints, logger, patience)
        with StopFlag() as stop:
            state, code = loop.train(
                state,
                step,
                parts.batches,
                hooks,
                steps=steps,
                config=run_config,
                mesh=mesh,
                logger=logger,
                stop=stop,
                enough=patience.is_over,
            )
            # First the checkpoints: one that fails on a full disk makes room for the lines that wait.
            checkpoints.wait()
            log.close()
        if jax.process_count() == 1:  # one of several would end the others with it; JAX's own listening ends none
            early_stop.from_now_on(early_stop.AFTER)
        if is_first():
            run.finish(measured(first, int(state.step), time.monotonic() - begun, config.data.batch_size))
    if patience.is_over():
        print(f"the validation loss has not fallen for {parts.patience} validations: the training ends here")
    if checkpoints.n_failed:
        print(f"{checkpoints.n_failed} checkpoints could not be written")
    print(f"step {int(state.step)} of {steps}; checkpoints are in {run.checkpoints}")
    return state, code


def _begin(run: RunFolder, config: ConfigDict, parts: TrainingSetup, allowed: tuple[str, ...]) -> None:
    run.check(config.to_dict(), allowed)
    if not run.exists():
        save_tokenizer(parts.tokenizer, run.tokenizer)
    run.begin(config.to_dict(), build.run_environment(), parts.contract)


def measured(first: int, last: int, seconds: float, batch_size: int) -> dict:
    """Measurements of one start for environment.json: the loop, with compiling, validation and saving."""
    return {
        "first_step": first,
        "last_step": last,
        "seconds": round(seconds, 1),
        "records_per_second": round((last - first) * batch_size / seconds, 1) if last > first else None,
    }


def first_state(method: Method, config: OptimizerConfig, batch: Batch, key: PRNGKeyArray, mesh: Mesh):
    """(state from scratch, made where it is to lie, optimiser); `batch` has this host's rows."""
    batch = place_batch(batch, mesh)
    init = jax.jit(method.init)  # traced once, for the shapes and for the values
    shapes, optimizer = _shapes(init, method, config, batch, key)
    placed = placement.shardings(shapes, mesh)
    rows = placement.placements(shapes, placed)
    placement.check_replicated(rows, mesh.shape["fsdp"])
    placement.check_memory(rows, mesh)
    make = jax.jit(lambda k, b: start(init(k, b), optimizer), out_shardings=placed)
    return make(key, batch), optimizer


def state_shapes(method: Method, config: OptimizerConfig, batch: Batch, key: PRNGKeyArray):
    """(shapes of the whole state, optimiser); nothing is computed."""
    return _shapes(method.init, method, config, batch, key)


def _shapes(init: Callable, method: Method, config: OptimizerConfig, batch: Batch, key: PRNGKeyArray):
    variables = jax.eval_shape(init, key, batch)
    optimizer = make_optimizer(config, variables.params, method.declared.rate_factors)
    return jax.eval_shape(lambda v: start(v, optimizer), variables), optimizer


def _go_on(state: TrainState, checkpoints: Checkpoints, log: MetricsLog) -> tuple[TrainState, bool]:
    """The run's own latest state, else the given one, and whether it is its own; what lies after it is removed."""
    if is_first():
        checkpoints.remove_unfinished()
    restored = checkpoints.restore_latest(state, print)
    if restored is not None:
        print(f"continuing at step {int(restored.step)}")
        state = restored
    elif (told := log.last_step()) > 0:
        print(f"metrics.jsonl tells of step {told}, but no checkpoint is there: starting at step 0 again")
    if is_first():
        checkpoints.remove_after(int(state.step))
    log.cut_after(int(state.step))
    return state, restored is not None
