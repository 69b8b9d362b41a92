"""The query network: what PyTorch's own layers give, and each question answered by itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cgdmer_jax.models.query_decoder import QueryDecoder
from cgdmer_jax.models.transformer import Size

SIZE, VECTOR, WIDTH = Size(16, 3, 4), 10, 12
LENGTH = np.array([7, 3, 5])


@pytest.fixture(scope="module")
def arguments():
    draw = np.random.default_rng(0)
    return draw.normal(size=(6, VECTOR)).astype(np.float32), draw.normal(size=(3, 7, WIDTH)).astype(np.float32)


@pytest.fixture(scope="module")
def params(arguments):
    shapes = jax.eval_shape(QueryDecoder(SIZE).init, jax.random.key(0), *arguments, jnp.asarray(LENGTH))["params"]
    draw = np.random.default_rng(1)
    return jax.tree.map(lambda x: draw.normal(0, 0.4, x.shape).astype(np.float32), shapes)


@pytest.fixture(scope="module")
def answers(params):
    length = jnp.asarray(LENGTH)
    return jax.jit(lambda queries, tokens: QueryDecoder(SIZE).apply({"params": params}, queries, tokens, length))


def test_logits_and_their_gradients_are_those_of_a_decoder_of_torchs_layers(params, arguments, answers):
    torch = pytest.importorskip("torch", reason="the oracle is torch's: the extra `torch`")
    p = jax.tree.map(lambda x: torch.tensor(x, dtype=torch.float64), params)

    def linear(x, of):
        return torch.nn.functional.linear(x, of["kernel"].T, of["bias"])

    def normed(x, of):
        return torch.nn.functional.layer_norm(x, x.shape[-1:], of["scale"], of["bias"], eps=1e-6)

    def attended(x, memory, beyond, of):
        layer = torch.nn.MultiheadAttention(
            SIZE.width, SIZE.heads, kdim=WIDTH, vdim=WIDTH, batch_first=True, dtype=torch.float64
        )
        names = ("query", "key", "value")
        weights = {f"{name[0]}_proj_weight": of[name]["kernel"].T for name in names}
        weights["in_proj_bias"] = torch.cat([of[name]["bias"] for name in names])
        weights |= {"out_proj.weight": of["out"]["kernel"].T, "out_proj.bias": of["out"]["bias"]}
        layer.load_state_dict(weights)
        return layer(x, memory, memory, key_padding_mask=beyond, need_weights=False)[0]

    queries, tokens = (torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in arguments)
    beyond = torch.arange(tokens.shape[1])[None, :] >= torch.tensor(LENGTH)[:, None]
    x = linear(queries, p["query"]).expand(len(LENGTH), -1, -1)
    for number in range(SIZE.depth):
        block = jax.tree.map(lambda leaf, n=number: leaf[n], p["decoder"]["blocks"])
        x = x + attended(normed(x, block["norm_attention"]), tokens, beyond, block["attention"])
        hidden = linear(normed(x, block["norm_mlp"]), block["mlp"]["up"])
        x = x + linear(torch.nn.functional.gelu(hidden, approximate="tanh"), block["mlp"]["down"])
    expected = linear(normed(x, p["decoder"]["norm"]), p["logit"])[:, :, 0]
    expected.square().sum().backward()

    found, back = jax.vjp(answers, *arguments)
    np.testing.assert_allclose(found, expected.detach().numpy(), rtol=1e-4, atol=1e-5)
    for own, theirs in zip(back(2 * found), (queries.grad.numpy(), tokens.grad.numpy()), strict=True):
        np.testing.assert_allclose(own, theirs, rtol=1e-3, atol=1e-4 * np.abs(theirs).max())


def test_an_answer_depends_neither_on_the_other_questions_nor_on_what_lies_beyond_the_length(arguments, answers):
    queries, tokens = arguments
    every = answers(queries, tokens)
    order = np.array([4, 0, 2])
    np.testing.assert_allclose(answers(queries[order], tokens), every[:, order], rtol=1e-5, atol=1e-6)
    dirty = np.where((np.arange(7) < LENGTH[:, None])[:, :, None], tokens, 1e3).astype(np.float32)
    np.testing.assert_array_equal(answers(queries, dirty), every)
