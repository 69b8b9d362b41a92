"""A method of three parameters on the contract alone, and batches of eight records: what the loop may know."""

from collections.abc import Generator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from cgdmer_jax.batch import Batch
from cgdmer_jax.methods.protocol import Aux, Declared, Variables
from cgdmer_jax.training import sharding
from cgdmer_jax.training.checkpoint import Checkpoints
from cgdmer_jax.training.hooks import hooks_of
from cgdmer_jax.training.log import MetricsLog, StepLogger
from cgdmer_jax.training.loop import train
from cgdmer_jax.training.optimizer import OptimizerConfig, make_optimizer, schedule
from cgdmer_jax.training.patience import Patience
from cgdmer_jax.training.run_config import RunConfig
from cgdmer_jax.training.state import TrainState, start
from cgdmer_jax.training.step import make_step
from cgdmer_jax.training.stop import StopFlag

BATCH, SAMPLES = 8, 4
BAD_ROW = 666  # a batch that holds this row has a loss that is not a number
KEY = jax.random.key(3)


class Toy:
    """Fits the records' mean by a line; adds noise of its own, and counts its calls in `state`."""

    declared = Declared(recordings=True, text=True)

    def init(self, key, batch):
        return Variables(
            {"line": {"kernel": jax.random.normal(key, (2, 1)), "bias": jnp.zeros(1)}}, {"n": jnp.int32(0)}
        )

    def draw(self, key, batch, progress):
        return jax.random.normal(key, (len(batch.row),)) * (1 - progress)

    def loss(self, variables, batch, draws, *, train):
        mean_mv = batch.signal.mean((1, 2)) / 1000
        inputs = jnp.stack([mean_mv, draws], 1)
        line = variables.params["line"]
        error = (inputs @ line["kernel"] + line["bias"])[:, 0] - mean_mv
        loss = (error**2).mean() + jnp.where((batch.row == BAD_ROW).any(), jnp.nan, 0.0)
        return loss, Aux({"n": variables.state["n"] + 1}, {"bias": line["bias"][0]})

    def embed_ecg(self, variables, batch):
        return {"aligned": batch.signal.mean((1, 2))[:, None]}

    def embed_text(self, variables, tokens, token_mask):
        return tokens[:, :1].astype(jnp.float32)


def optimizer_config(**fields) -> OptimizerConfig:
    plain = {
        "steps": 12,
        "learning_rate": 0.1,
        "warmup_fraction": 0.25,
        "final_fraction": 0.1,
        "beta1": 0.9,
        "beta2": 0.95,
        "weight_decay": 0.01,
        "clip_norm": 1.0,
        "rate_factors": (),
    }
    return OptimizerConfig(**plain | fields)


def batch_of(step: int, bad_steps: tuple[int, ...] = ()) -> Batch:
    """The batch after `step` steps; `bad_steps` count from 1, as the log does."""
    draw = np.random.default_rng(step)
    row = np.arange(BATCH, dtype=np.int32) + (BAD_ROW if step + 1 in bad_steps else 0)
    return Batch(
        signal=draw.integers(-900, 900, (BATCH, 12, SAMPLES)).astype(np.int16),
        lead_mask=np.ones((BATCH, 12), bool),
        length=np.full(BATCH, SAMPLES, np.int32),
        row=row,
        tokens=np.ones((BATCH, 3), np.int32),
        token_mask=np.ones((BATCH, 3), bool),
        text_id=np.arange(BATCH, dtype=np.int32),
        text_columns={},
    )


def batches(first: int, last: int, bad_steps: tuple[int, ...] = ()) -> Generator[Batch]:
    for step in range(first, last):
        yield batch_of(step, bad_steps)


MESH = sharding.make_mesh()
METHOD = Toy()
CONFIG = optimizer_config()
OPTIMIZER = make_optimizer(CONFIG, jax.eval_shape(METHOD.init, KEY, batch_of(0)).params)
STEP = make_step(METHOD, OPTIMIZER, KEY, CONFIG.steps)


def new_state(step: int = 0) -> TrainState:
    """A fresh state that says it is at `step`, placed as a run's is."""
    state = start(METHOD.init(KEY, batch_of(0)), OPTIMIZER)
    return jax.device_put(state._replace(step=jnp.int32(step)), sharding.replicated(MESH))


def bytes_of(tree) -> list[bytes]:
    return [np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(tree)]


def run(folder: Path, *, state: TrainState | None = None, stop: StopFlag | None = None, **changed):
    """`train` on the toy in `folder`: (state, exit code)."""
    config = {
        "log_every": 2,
        "validate_every": 6,
        "checkpoint_every": 4,
        "keep_last": 9,
        "diagnose_every": 100,
        "trace": False,
    }
    config |= {name: changed.pop(name) for name in list(changed) if name in config}
    validate = changed.pop("validate", lambda variables: {"loss": 1.0})
    diagnose = changed.pop(
        "diagnose", lambda variables: {"gradient_norm_bias": float(variables.params["line"]["bias"][0])}
    )
    with Checkpoints(folder / "checkpoints", config["keep_last"], changed.pop("tell", print)) as checkpoints:
        folder.mkdir(parents=True, exist_ok=True)
        logger = StepLogger(MetricsLog(folder / "metrics.jsonl"), schedule(CONFIG), share_a_record=None)
        run_config = RunConfig(**config)
        state, code = train(
            new_state() if state is None else state,
            **{"step_function": STEP, "batches": batches} | changed,
            hooks=hooks_of(run_config, validate, diagnose, checkpoints, logger, Patience(0)),
            steps=CONFIG.steps,
            config=run_config,
            mesh=MESH,
            logger=logger,
            stop=stop or StopFlag(),
        )
        checkpoints.wait()
        logger.log.close()
        return state, code
