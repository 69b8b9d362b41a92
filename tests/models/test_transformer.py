"""Blocks: pre-norm form by torch, unrolling and rematerialisation without any effect on the result."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cgdmer_jax.models.flops import matmul_flops
from cgdmer_jax.models.transformer import Compute, Encoder, SelfBlock, Size

X = jnp.asarray(np.random.default_rng(0).normal(size=(3, 5, 8)), jnp.float32)
SIZE = Size(width=8, depth=2, heads=2)
LENGTH = jnp.array([5, 3, 1], jnp.int32)


@pytest.fixture(scope="module")
def params():
    return jax.jit(Encoder(SIZE).init)(jax.random.key(0), X, LENGTH)


def value_and_gradient(encoder, params):
    def loss(params):
        return (encoder.apply(params, X, LENGTH) ** 3).sum()

    return jax.jit(jax.value_and_grad(loss))(params)


def test_unrolling_and_rematerialisation_change_no_value_and_no_gradient(params):
    plain = value_and_gradient(Encoder(SIZE), params)
    for remat, unroll in (("none", 2), ("dots", 1)):
        other = value_and_gradient(Encoder(SIZE, Compute(remat=remat, unroll=unroll)), params)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), plain, other)


def test_rematerialisation_computes_again_what_its_policy_says(params):
    """`full`: the products of the whole forward pass; `dots`: those of attention alone, since a Dense's are kept."""

    def flops(remat):
        encoder = Encoder(SIZE, Compute(remat=remat))
        return matmul_flops(jax.grad(lambda p: encoder.apply(p, X, LENGTH).sum()), params)

    tokens, width = X.shape[0] * X.shape[1], X.shape[2]
    of_dense = 2 * 2 * tokens * (4 + 8) * width**2  # two blocks, each with four maps of width and a fourfold MLP
    forward = matmul_flops(lambda p: Encoder(SIZE).apply(p, X, LENGTH), params)
    last_map = 2 * 2 * tokens * 4 * width**2  # nothing in the backward pass of its block reads what it gives
    assert flops("full") - flops("none") == forward - last_map
    assert flops("dots") - flops("none") == forward - of_dense


def test_tokens_beyond_the_length_never_reach_those_before_it(params):
    encoder = Encoder(SIZE)
    other = X.at[1, 3:].set(7.0).at[2, 1:].set(-7.0)
    apply = jax.jit(encoder.apply)
    plain, moved = apply(params, X, LENGTH), apply(params, other, LENGTH)
    for record, n in enumerate(LENGTH.tolist()):
        np.testing.assert_array_equal(plain[record, :n], moved[record, :n])


def test_encoder_ends_in_a_norm(params):
    out = np.asarray(jax.jit(Encoder(SIZE).apply)(params, X, LENGTH))
    np.testing.assert_allclose(out.mean(-1), 0, atol=1e-5)
    np.testing.assert_allclose(out.std(-1), 1, atol=1e-3)


def test_a_block_begins_close_to_doing_nothing():
    """Else a token's content is a small part of the stream after a few blocks, and reconstruction stands still."""
    x = jnp.asarray(np.random.default_rng(3).normal(size=(4, 9, 64)), jnp.float32)
    block = SelfBlock(heads=4)
    (out, _), params = jax.jit(block.init_with_output)(jax.random.key(1), x, jnp.full(4, 9))
    change = np.asarray(out - x)
    assert 0 < change.std() < 0.2 * np.asarray(x).std()
    for name in (("attention", "query"), ("mlp", "up")):  # inside a branch: Glorot, else it would learn slowly
        kernel = np.asarray(params["params"][name[0]][name[1]]["kernel"])
        assert kernel.std() == pytest.approx((2 / sum(kernel.shape)) ** 0.5, rel=0.1)


def test_block_equals_torchs_pre_norm_encoder_layer():
    torch = pytest.importorskip("torch")
    block = SelfBlock(heads=2)
    params = jax.jit(block.init)(jax.random.key(1), X, LENGTH)["params"]
    params = jax.tree.map(lambda a: a + 0.1 * np.random.default_rng(a.size).normal(size=a.shape), params)
    params = jax.tree.map(lambda a: jnp.asarray(a, jnp.float32), params)

    def gelu(x):
        return torch.nn.functional.gelu(x, approximate="tanh")

    layer = torch.nn.TransformerEncoderLayer(
        8, 2, 32, dropout=0.0, activation=gelu, layer_norm_eps=1e-6, batch_first=True, norm_first=True
    )
    qkv = [params["attention"][name] for name in ("query", "key", "value")]
    state = {
        "self_attn.in_proj_weight": np.concatenate([np.asarray(p["kernel"]).T for p in qkv]),
        "self_attn.in_proj_bias": np.concatenate([p["bias"] for p in qkv]),
        "norm1.weight": params["norm_attention"]["scale"],
        "norm1.bias": params["norm_attention"]["bias"],
        "norm2.weight": params["norm_mlp"]["scale"],
        "norm2.bias": params["norm_mlp"]["bias"],
    }
    linear = {
        "self_attn.out_proj": params["attention"]["out"],
        "linear1": params["mlp"]["up"],
        "linear2": params["mlp"]["down"],
    }
    for name, p in linear.items():
        state |= {f"{name}.weight": np.asarray(p["kernel"]).T, f"{name}.bias": p["bias"]}
    layer.load_state_dict({k: torch.tensor(np.array(v)) for k, v in state.items()})
    beyond = torch.arange(5)[None, :] >= torch.tensor(np.array(LENGTH))[:, None]
    expected = layer(torch.tensor(np.array(X)), src_key_padding_mask=beyond).detach().numpy()
    found, _ = jax.jit(block.apply)({"params": params}, X, LENGTH)
    for record, n in enumerate(LENGTH.tolist()):
        np.testing.assert_allclose(found[record, :n], expected[record, :n], atol=2e-5)
