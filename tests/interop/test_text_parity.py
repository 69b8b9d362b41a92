"""Text encoders against transformers: hidden states, pooler, gradients of the embeddings; a row a case in a table.

A difference is the largest one over the root mean square of what is expected. float32: 1e-5. In half precision both
sides round after every operation, in another order, each time by up to one unit of the mantissa (2^-8, 2^-11), and the
random T5 weights amplify that: 32 units from transformers in the same dtype. The sharper bound is on what rounding may
cost: no more than twice as far from the float32 result as transformers itself is in that dtype.
"""

import copy

import jax
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="transformers' models need torch (the extra `torch`)")

from cgdmer_jax.interop.huggingface import load_text_encoder  # noqa: E402
from cgdmer_jax.models.transformer import Compute  # noqa: E402
from tests.interop import text_models as small  # noqa: E402

TOLERANCE = {"float32": 1e-5, "bfloat16": 32 * 2.0**-8, "float16": 32 * 2.0**-11}
GRADIENT_TOLERANCE = 1e-4
# XLM-R is RoBERTa's code under another name: one size will do.
MODELS = [(f, s) for f in small.LONGEST for s in small.SIZES if (f, s) != ("xlm-roberta", "3x48")]
POOLED = ("bert", "roberta", "xlm-roberta")
TABLES = {  # our embedding tables and transformers'
    "token": ("embeddings.word_embeddings.weight", "shared.weight"),
    "position": ("embeddings.position_embeddings.weight",),
    "token_type": ("embeddings.token_type_embeddings.weight",),
    "relative": ("encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight",),
}


@pytest.fixture(scope="module", params=MODELS, ids="-".join)
def saved(request, tmp_path_factory):
    """Family, size, transformers' model, and our tower read from what it saved."""
    family, size = request.param
    folder = tmp_path_factory.mktemp("text") / "model"
    folder.mkdir()
    model = small.save_model(folder, family, size)
    return family, size, model, load_text_encoder(folder)


@pytest.fixture
def check(saved, record_property):
    """Notes a row of the proof table, then asserts it."""

    def note(dtype: str, case: str, error: float, tolerance: float):
        record_property("proof", [" ".join([*saved[:2], dtype]), case, f"{error:.1e}{'!' * (error > tolerance)}"])
        assert error <= tolerance

    return note


def states(output) -> tuple[np.ndarray, np.ndarray | None]:
    pooled = output["pooler_output"].float().numpy() if "pooler_output" in output else None
    return output.last_hidden_state.float().numpy(), pooled


@pytest.mark.parametrize("dtype", small.DTYPES)
def test_states_equal_transformers(saved, check, dtype):
    family, _, model, tower = saved
    texts = small.make_texts(family)
    with torch.no_grad():
        plain, _ = states(small.theirs(model, texts))
        expected, pooled = states(small.theirs(copy.deepcopy(model).to(small.DTYPES[dtype]), texts))
    found = small.jitted(tower.module.clone(compute=Compute(dtype)), tower.params, texts)
    live = small.live_of(texts)
    for row, case in enumerate(small.CASES):
        here = (row, live[row])
        check(dtype, case, small.difference(found.tokens[here], expected[here]), TOLERANCE[dtype])
    if dtype != "float32":
        own = small.difference(expected[live], plain[live])
        check(dtype, "from float32", small.difference(found.tokens[live], plain[live]), 2 * own)
    assert (pooled is not None) == (found.pooled is not None) == (family in POOLED)
    if pooled is not None:
        check(dtype, "pooler", small.difference(found.pooled, pooled), TOLERANCE[dtype])


def test_a_text_of_one_token_alone_equals_transformers(saved, check):
    family, _, model, tower = saved
    texts = small.make_texts(family)
    alone = small.Texts(
        texts.tokens[:1, :1], np.ones(1, np.int32), None if texts.types is None else texts.types[:1, :1]
    )
    with torch.no_grad():
        expected, _ = states(small.theirs(model, alone))
    found = small.jitted(tower.module, tower.params, alone)
    check("float32", "alone", small.difference(found.tokens, expected), TOLERANCE["float32"])


def test_gradients_of_the_embeddings_equal_transformers(saved, check):
    family, _, model, tower = saved
    texts = small.make_texts(family)
    live = small.live_of(texts)
    draw = np.random.default_rng(5)
    weight = np.where(live[..., None], draw.normal(size=(*live.shape, tower.facts.width)), 0).astype(np.float32)
    of_pooled = draw.normal(size=(len(live), tower.facts.width)).astype(np.float32)

    def loss(params):
        made = small.ours(tower.module, params, texts)
        return (made.tokens * weight).sum() + (0 if made.pooled is None else (made.pooled * of_pooled).sum())

    model.zero_grad()
    output = small.theirs(model, texts)
    total = (output.last_hidden_state * torch.tensor(weight)).sum()
    if family in POOLED:
        total = total + (output.pooler_output * torch.tensor(of_pooled)).sum()
    total.backward()
    expected = {name: parameter.grad for name, parameter in model.named_parameters()}
    found = jax.jit(jax.grad(loss))(tower.params)
    compared = [(ours, name) for ours, names in TABLES.items() for name in names if name in expected]
    assert {ours for ours, _ in compared} == {name for name, leaf in found.items() if not isinstance(leaf, dict)}
    for ours, name in compared:
        error = small.difference(np.asarray(found[ours]), expected[name].numpy())
        check("float32", f"d {ours}", error, GRADIENT_TOLERANCE)
