"""The loop and the step know a method by its contract only."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from cgdmer_jax.batch import Batch
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.methods.protocol import Aux, Variables
from cgdmer_jax.training import loop, sharding
from cgdmer_jax.training.checkpoint import Checkpoints
from cgdmer_jax.training.log import MetricsLog, read_metrics
from cgdmer_jax.training.optimizer import OptimizerConfig, decays, make_optimizer, rate_factor, schedule
from cgdmer_jax.training.state import NEVER, start
from cgdmer_jax.training.step import make_step
from cgdmer_jax.training.stop import StopFlag

BAD_STEP = 8  # counted from 1, as metrics.jsonl does


class Toy:
    """A method of one weight; at BAD_STEP of a bad run its loss is not finite."""

    def __init__(self, bad: bool = False):
        self.bad = bad

    def init(self, key, batch):
        return Variables({"layer": {"kernel": jnp.ones((1, 1)), "bias": jnp.ones(1)}}, {})

    def draw(self, key, batch, progress):
        return jax.random.uniform(key), progress

    def loss(self, variables, batch, draws, *, train):
        noise, progress = draws
        loss = (variables.params["layer"]["kernel"].sum() - noise) ** 2 + 0 * variables.params["layer"]["bias"].sum()
        if self.bad:
            loss = jnp.where(jnp.round(progress * 10) + 1 == BAD_STEP, jnp.nan, loss)
        return loss, Aux({}, {"noise": noise})

    def embed_ecg(self, variables, batch):
        return {"aligned": jnp.zeros((len(batch.row), 1))}

    def embed_text(self, variables, tokens, token_mask):
        return jnp.zeros((len(tokens), 1))

    def zero_shot_scores(self, variables, batch, tokens, token_mask):
        return jnp.zeros((len(batch.row), len(tokens)))


def a_batch() -> Batch:
    return Batch(
        signal=np.zeros((2, 12, 4), np.int16),
        lead_mask=np.ones((2, 12), bool),
        length=np.full(2, 4, np.int32),
        row=np.arange(2, dtype=np.int32),
        tokens=np.zeros((2, 3), np.int32),
        token_mask=np.zeros((2, 3), bool),
        text_id=np.full(2, -1, np.int32),
        text_columns={},
    )


def run(folder, *, bad=False, steps=10, validate_every=5, checkpoint_every=3):
    method, optimizer = Toy(bad), optax.sgd(0.1)
    state = start(method.init(jax.random.key(0), a_batch()), optimizer)
    with Checkpoints(folder / "checkpoints", 100) as checkpoints:
        return loop.train(
            state,
            make_step(method, optimizer, jax.random.key(1), steps),
            lambda first, last: (a_batch() for _ in range(first, last)),
            lambda variables: {"loss": float(variables.params["layer"]["kernel"].sum())},
            lambda step: 0.1,
            steps=steps,
            config=loop.RunConfig(1, validate_every, checkpoint_every, 100),
            mesh=sharding.make_mesh(),
            checkpoints=checkpoints,
            log=MetricsLog(folder / "metrics.jsonl"),
            stop=StopFlag(),
        )


def test_every_step_is_logged_and_the_intervals_are_kept(tmp_path):
    state, code = run(tmp_path)
    assert code == 0 and int(state.step) == 10
    lines = read_metrics(tmp_path / "metrics.jsonl")
    assert [x["step"] for x in lines if "loss" in x] == list(range(1, 11))
    assert [x["step"] for x in lines if "validation_loss" in x] == [5, 10]
    assert Checkpoints(tmp_path / "checkpoints", 100).steps() == [3, 5, 6, 9, 10]


def test_a_loss_that_is_not_finite_stops_the_run_naming_the_step(tmp_path):
    with pytest.raises(CgdmerError, match=f"not finite at step {BAD_STEP}"):
        run(tmp_path, bad=True, steps=10)
    assert max(Checkpoints(tmp_path / "checkpoints", 100).steps()) < BAD_STEP


def test_nothing_is_updated_once_the_loss_was_not_finite():
    method, optimizer = Toy(bad=True), optax.sgd(0.1)
    step = make_step(method, optimizer, jax.random.key(1), 10)
    state, seen = start(method.init(jax.random.key(0), a_batch()), optimizer), []
    for _ in range(10):
        state, _ = step(state, a_batch())
        seen.append((float(state.variables.params["layer"]["kernel"].sum()), int(state.first_bad_step)))
    values = [value for value, _ in seen]
    assert [bad for _, bad in seen] == [NEVER] * (BAD_STEP - 1) + [BAD_STEP] * (11 - BAD_STEP)
    good, after = values[: BAD_STEP - 1], values[BAD_STEP - 1 :]
    assert len(set(good)) == len(good) and set(after) == {good[-1]}


def test_lines_after_the_restored_step_and_half_a_line_are_cut(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"step": 2}\n{"step": 3}\n{"st')
    MetricsLog(path).cut_after(2)
    assert path.read_text() == '{"step": 1}\n{"step": 2}\n'


CONFIG = OptimizerConfig(100, 1e-2, 0.1, 0.0, 0.9, 0.95, 0.1, 1.0, (("temperature", 10.0),))


def test_the_rate_warms_up_and_ends_at_its_final_fraction():
    rate = schedule(CONFIG)
    assert float(rate(0)) == 0.0
    assert float(rate(5)) == pytest.approx(0.5e-2)
    assert float(rate(10)) == pytest.approx(1e-2)
    assert float(rate(55)) == pytest.approx(0.5e-2, rel=1e-3)  # half way down a cosine
    assert float(rate(100)) == pytest.approx(0.0, abs=1e-9)


def test_only_kernels_decay_and_factors_follow_the_path():
    params = {"a": {"kernel": 1, "bias": 1, "scale": 1}, "token": 1, "log_inverse_temperature": 1}
    assert decays(params) == {
        "a": {"kernel": True, "bias": False, "scale": False}, "token": False, "log_inverse_temperature": False,
    }  # fmt: skip
    assert rate_factor("log_inverse_temperature", CONFIG.rate_factors) == 10.0
    assert rate_factor("a/kernel", CONFIG.rate_factors) == 1.0


def test_a_rate_factor_that_fits_no_parameter_is_refused():
    with pytest.raises(CgdmerError, match="matches no parameter"):
        make_optimizer(CONFIG, {"a": {"kernel": jnp.ones(2)}})


def test_the_temperature_moves_ten_times_as_far():
    params = {"a": {"bias": jnp.ones(1)}, "temperature": jnp.ones(1)}
    optimizer = make_optimizer(CONFIG, params)
    state = optimizer.init(params)
    for _ in range(3):
        updates, state = optimizer.update(jax.tree.map(jnp.ones_like, params), state, params)
    assert float(updates["temperature"][0] / updates["a"]["bias"][0]) == pytest.approx(10.0, rel=1e-5)


def test_a_batch_that_devices_cannot_share_is_refused():
    eight = sharding.Mesh(np.array(jax.devices() * 8).reshape(8, 1), sharding.AXES)
    with pytest.raises(CgdmerError, match="multiple of 8"):
        sharding.check_batch_size(12, eight)
