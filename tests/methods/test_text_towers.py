"""The rates that each method asks for fit towers that have no pooler: BERT without one, and T5."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.methods.cgdmer.method import CgDmer
from cgdmer_jax.methods.protocol import Variables
from cgdmer_jax.models.text.tower import describe
from cgdmer_jax.training.optimizer import make_optimizer, parameter_path, rate_factor
from tests.methods import conftest as small
from tests.methods.cmelt_small import make_cmelt
from tests.methods.merl_small import make_merl
from tests.methods.test_masked_text import batch as reports
from tests.methods.test_masked_text import method_of
from tests.models.test_text_tower import BERT, T5
from tests.training.toy import optimizer_config

TOWERS = {"bert": BERT.clone(pooler=False), "t5": T5}
BOTTOM = {"token", "position", "token_type", "relative", "norm", "frozen_blocks"}  # T5's norm is its last: below


def architecture(module) -> dict:
    wide = module.clone(vocabulary=small.VOCABULARY)
    wide = wide.clone(max_tokens=small.N_TOKENS) if module is not T5 else wide
    return describe(wide) | {"mask_id": 4, "special_ids": [0, 1, 2, 3, 4], "weights_sha256": ""}


def cgdmer(module, trained: int) -> CgDmer:
    fields = {"text_tower": "a folder", "text_architecture": architecture(module), "text_trained": trained}
    return small.make_method(dataclasses.replace(small.CONFIG, **fields))  # masked words too


def merl(module, trained: int):
    return make_merl(text_architecture=architecture(module), text_trained=trained, text_pooling="mean")


def cmelt(module, trained: int):
    return make_cmelt(text_tower="a folder", text_architecture=architecture(module), text_trained=trained)


METHODS = {
    "masked_text": lambda module, trained: method_of(trained, module),
    "cgdmer": cgdmer,
    "cmelt": cmelt,
    "merl": merl,
}


@pytest.mark.parametrize("trained", [0, 1, -1])
@pytest.mark.parametrize("tower", TOWERS)
@pytest.mark.parametrize("name", METHODS)
def test_the_rates_of_each_method_fit_each_tower(name, tower, trained, batch):
    method = METHODS[name](TOWERS[tower], trained)
    batch = reports() if name == "masked_text" else batch
    variables = jax.eval_shape(method.init, jax.random.key(0), batch)
    rules = method.declared.rate_factors
    make_optimizer(optimizer_config(steps=2), variables.params, rules)  # refuses a rule without use
    paths = [parameter_path(path) for path, _ in jax.tree_util.tree_leaves_with_path(variables.params)]
    held = {path.split("/")[1] for path in paths if rate_factor(path, rules) == 0}
    parts = {path.split("/")[1] for path in paths if path.startswith("text_tower/")}
    bottom = parts & (BOTTOM - {"norm"} if tower == "t5" else BOTTOM)
    assert held == {0: parts, 1: bottom, -1: set()}[trained]


@pytest.fixture(scope="module")
def draws(batch):
    """Alike whatever is trained."""
    return jax.jit(cgdmer(T5, 0).draw)(jax.random.key(1), batch, jnp.float32(1))


@pytest.mark.parametrize("trained", [0, 1, -1])
def test_cgdmer_has_a_finite_loss_whose_gradient_reaches_what_is_trained_of_a_t5(trained, batch, draws):
    method = cgdmer(T5, trained)
    variables = small.weights_of(method, batch)

    @jax.jit
    @jax.value_and_grad
    def loss(params):
        return method.loss(Variables(params, {}), batch, draws, train=True)[0]

    value, gradients = loss(variables.params)
    assert np.isfinite(value)
    for place, gradient in jax.tree_util.tree_leaves_with_path(gradients["text_tower"]):
        frozen = rate_factor(f"text_tower/{parameter_path(place)}", method.declared.rate_factors) == 0
        assert np.isfinite(gradient).all()
        assert frozen != np.any(gradient), parameter_path(place)


@pytest.mark.parametrize(
    ("module", "changed", "told"),
    [
        ("bert", {"kind": "best"}, '.kind is "best". Did you mean "bert"?'),
        ("bert", {"kind": ["bert"]}, """.kind is "['bert']". Did you mean "bert"?"""),
        ("bert", {"depth": 0}, ".depth is 0; give a whole number from 1 to 1,024"),
        ("bert", {"hidden": 1 << 40}, ".hidden is 1099511627776; give a whole number from 1 to 262,144"),
        ("bert", {"width": "8"}, ".width is '8'; give a whole number from 1 to 65,536"),
        ("bert", {"heads": 3}, " has 3 heads, which do not divide its width "),
        ("bert", {"activation": "gelo"}, '.activation is "gelo". Did you mean "gelu"?'),
        ("bert", {"counted_from": -1}, ".counted_from is -1; give a whole number from 0 to 16,777,216 or null"),
        ("bert", {"layers": 2}, " has no field layers. Did you mean "),
        ("bert", {"mask_id": 10**6}, ".mask_id is 1000000, but the encoder has embeddings for ids below "),
        ("bert", {"special_ids": [0, "1"]}, ".special_ids is [0, '1']; give a list, each entry a whole number from 0"),
        ("t5", {"max_distance": 2}, " has max_distance 2, too little for "),
        ("t5", {"gated": 1}, ".gated is 1; give true or false"),
    ],
)
def test_an_architecture_that_no_encoder_has_is_refused_by_its_field(module, changed, told):
    fields = {"text_tower": "a folder", "text_architecture": architecture(TOWERS[module]) | changed}
    with pytest.raises(CgdmerError) as caught:
        small.make_method(dataclasses.replace(small.CONFIG, **fields))
    assert str(caught.value).startswith(f"config.method.text_architecture{told}")
