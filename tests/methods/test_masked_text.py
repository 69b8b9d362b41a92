"""Masked words of reports alone: what is frozen stays to the bit and costs nothing, the rest moves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cgdmer_jax.batch import Batch
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.methods.make import make_method
from cgdmer_jax.methods.protocol import Embedder, Method, TextEmbedder, Variables
from cgdmer_jax.models.flops import matmul_flops
from cgdmer_jax.models.text.tower import describe
from cgdmer_jax.training.optimizer import make_optimizer, parameter_path
from cgdmer_jax.training.state import start
from cgdmer_jax.training.step import make_step
from tests.models.test_text_tower import BERT, T5
from tests.training.toy import optimizer_config

KEY = jax.random.key(0)
N = 8
FIELDS = {
    "text_tower": "a folder",
    "text_lr_multiplier": 0.1,
    "text_pooling": "mean",
    "mlm_ratio": 0.3,
    "dtype": "float32",
    "remat": "none",
    "unroll": 3,
}


def method_of(trained: int, module=BERT, **fields) -> Method:
    architecture = describe(module) | {"mask_id": 4, "special_ids": [0, 1, 2, 3, 4], "weights_sha256": "00"}
    return make_method(
        "masked_text",
        FIELDS | {"text_architecture": architecture, "text_trained": trained} | fields,
        n_leads=12,
        n_samples=0,
        rate=0,
        vocabulary=20,
        max_tokens=N,
        full_stop=-1,
    )


def batch() -> Batch:
    draw = np.random.default_rng(0)
    length = np.array([8, 5, 3, 0, 6, 7], np.int32)
    live = np.arange(N) < length[:, None]
    tokens = np.where(live, draw.integers(5, 20, live.shape), 0).astype(np.int32)
    tokens[live[:, 0], 0] = 2
    n = len(length)
    text_id = np.where(length > 0, np.arange(n), -1).astype(np.int32)
    arrays = (
        np.zeros((n, 12, 0), np.int16),
        np.zeros((n, 12), bool),
        np.zeros(n, np.int32),
        np.arange(n, dtype=np.int32),
    )
    return jax.tree.map(jnp.asarray, Batch(*arrays, tokens, live, text_id, {}).check())


def weights(method: Method) -> Variables:
    """Random everywhere, minus zero in places: a sum with zero would change its bits."""
    draw = np.random.default_rng(1)
    like = jax.eval_shape(method.init, KEY, batch())

    def random(x):
        value = draw.normal(0, 0.3, x.shape).astype(np.float32)
        value.flat[0] = -0.0
        return jnp.asarray(value)

    return jax.tree.map(random, like)


def bits_by_path(params: dict) -> dict[str, bytes]:
    return {parameter_path(path): np.asarray(x).tobytes() for path, x in jax.tree_util.tree_leaves_with_path(params)}


@pytest.mark.parametrize(("module", "trained"), [(BERT, 0), (BERT, 1), (BERT, -1), (T5, 1)])
def test_frozen_parameters_stay_to_the_bit_without_moments_and_all_others_move(module, trained):
    method = method_of(trained, module)
    config = optimizer_config(warmup_fraction=0.0, weight_decay=0.1, learning_rate=0.05)
    variables = weights(method)
    optimizer = make_optimizer(config, variables.params, method.declared.rate_factors)
    state = start(variables, optimizer)
    before = bits_by_path(variables.params)
    moments = {jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(state.optimizer)}
    step = make_step(method, optimizer, KEY, config.steps)
    for _ in range(3):
        state, metrics = step(state, batch())
        assert np.isfinite(metrics["loss"])
    after = bits_by_path(state.variables.params)
    stayed = {path for path in before if before[path] == after[path]}

    def is_frozen(path: str) -> bool:
        bottom = ("token", "position", "token_type", "relative", "frozen_blocks") + (
            ("norm",) if module is BERT else ()
        )
        name = path.removeprefix("text_tower/").split("/")[0]
        inside = path.startswith("text_tower/")
        return inside and (trained == 0 or name == "pool" or (trained == 1 and name in bottom))

    assert stayed == {path for path in before if is_frozen(path)}
    for path in before:
        held = "".join(f"['{part}']" for part in path.split("/"))
        assert any(name.endswith(held) for name in moments) == (not is_frozen(path)), path


def test_no_gradient_of_a_frozen_encoder_is_computed():
    def cost(trained: int) -> float:
        """Cost of loss and gradient over that of the loss alone."""
        method = method_of(trained)
        variables, draws = weights(method), method.draw(KEY, batch(), jnp.float32(0))

        def loss(params):
            return method.loss(Variables(params, {}), batch(), draws, train=True)[0]

        return matmul_flops(jax.grad(loss), variables.params) / matmul_flops(loss, variables.params)

    frozen, last, whole = cost(0), cost(1), cost(-1)
    assert frozen < 1.5 < last < whole  # what remains is the head
    assert whole > 2.5


def test_only_words_are_hidden_and_the_mask_stands_there_or_another_word():
    method = method_of(-1)
    draws = method.draw(KEY, batch(), jnp.float32(0))
    assert draws.slots.length.tolist() == [2, 1, 1, 0, 2, 2]  # 30 % of 7, 4, 2, 0, 5, 6 words, at least one
    hidden = np.asarray(draws.replacement)[np.asarray(draws.slots.live())]
    assert set(hidden.tolist()) <= {4, *range(5, 20)}


def test_it_is_a_text_embedder_and_no_embedder_of_recordings():
    method = method_of(-1)
    assert isinstance(method, Method) and isinstance(method, TextEmbedder) and not isinstance(method, Embedder)
    assert method.declared.text and not method.declared.recordings
    text = method.embed_text(weights(method), batch().tokens, batch().token_mask)
    np.testing.assert_allclose(np.linalg.norm(np.asarray(text)[[0, 1, 2, 4, 5]], axis=1), 1, rtol=1e-5)


def test_without_a_text_encoder_there_is_nothing_to_adapt():
    with pytest.raises(CgdmerError, match=r"text_tower is empty"):
        method_of(-1, text_tower="")
