"""One CG-DMER step in JAX and in PyTorch: loss, terms and gradients, then training curves from equal weights.

Both are given the same batches of a store, the same draws and the same weights. float64 tells whether the
programs are equal; float32 what rounding makes of that.
"""

from collections.abc import Callable, Iterable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
import torch
from ml_collections import ConfigDict

from baselines.torch_cgdmer import training, weights
from baselines.torch_cgdmer.loss import hybrid_loss
from cgdmer_jax.batch import Batch
from cgdmer_jax.config import from_fields
from cgdmer_jax.data.corpus import open_corpus
from cgdmer_jax.data.loader import Loader
from cgdmer_jax.data.token_table import token_table
from cgdmer_jax.methods.cgdmer.method import CgDmer
from cgdmer_jax.methods.protocol import Variables
from cgdmer_jax.recipes import build
from cgdmer_jax.training.optimizer import OptimizerConfig, make_optimizer
from cgdmer_jax.training.state import start
from cgdmer_jax.training.step import make_step

DTYPES = {"float64": torch.float64, "float32": torch.float32}
STEPS = {"float64": 10, "float32": 50}  # of the curves
KEY = jax.random.key(0)
Twin = tuple[CgDmer, dict]  # a method and its first weights, NumPy arrays


def parity(twin: Twin, batch: Batch, dtype: str) -> list[dict]:
    """Relative differences of the loss, of each term, and of each gradient (its largest one over its norm).

    A row for each gradient whose exact value is not zero; the keys' biases have none (softmax does not see a number
    that all keys share), so theirs is told as a share of the whole gradient's norm.
    """
    method, params = twin
    draws = jax.jit(method.draw)(KEY, batch, jnp.float32(0.5))

    def loss_of(params):
        return method.loss(Variables(params, {}), batch, draws, train=True)

    (loss, aux), gradient = jax.jit(jax.value_and_grad(loss_of, has_aux=True))(_as(params, dtype))
    network, terms = weights.network_of(method)
    network.to(DTYPES[dtype])
    weights.transplant(_as(params, dtype), network)
    theirs, their_terms = hybrid_loss(network, weights.step_of(batch, draws, "cpu"), terms, method.patch_samples)
    theirs.backward()
    found = {name: parameter.grad.numpy() for name, parameter in network.named_parameters()}
    other = weights.params_of(found, gradient)

    rows = [_row("loss", dtype, float(loss), float(theirs.detach()))]
    rows += [_row(f"term {n}", dtype, float(aux.terms[n]), float(v.detach())) for n, v in their_terms.items()]
    whole = np.sqrt(sum(float((np.asarray(g, np.float64) ** 2).sum()) for g in jax.tree.leaves(gradient)))
    pairs = zip(jax.tree_util.tree_leaves_with_path(gradient), jax.tree.leaves(other), strict=True)
    for (path, mine), value in pairs:
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        mine = np.asarray(mine, np.float64)
        norm = whole if name.endswith("attention/key/bias") else float(np.sqrt((mine**2).sum()))
        rows.append({"what": f"gradient {name}", "dtype": dtype, "relative": float(np.abs(mine - value).max() / norm)})
    return rows


def curves(twin: Twin, config: OptimizerConfig, batches: Iterable[Batch], dtype: str) -> list[dict]:
    """A row for each step: the loss there and here, from equal weights on."""
    method, params = twin
    params = _as(params, dtype)
    network, terms = weights.network_of(method)
    network.to(DTYPES[dtype])
    weights.transplant(params, network)
    their_step = training.make_step(network, terms, method.patch_samples, config, bfloat16=False, compiled=False)
    optimizer = make_optimizer(config, params)
    state = start(Variables(jax.tree.map(jnp.array, params), {}), optimizer)
    step, draw = make_step(method, optimizer, KEY, config.steps), jax.jit(method.draw)
    rows = []
    for number, batch in enumerate(batches):
        progress = jnp.int32(number) / config.steps
        data = weights.step_of(batch, draw(jax.random.fold_in(KEY, number), batch, progress), "cpu")
        theirs, _ = their_step(number, data)
        state, metrics = step(state, batch)
        rows.append(_row("curve", dtype, float(metrics["loss"]), float(theirs)) | {"step": number + 1})
    return rows


def in_precision(dtype: str, function: Callable, *args) -> list[dict]:
    """`function(*args, dtype)` where JAX and torch both make arrays of that precision."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(DTYPES[dtype])
    try:
        with jax.enable_x64(dtype == "float64"):
            return function(*args, dtype)
    finally:
        torch.set_default_dtype(before)


def worst(rows: list[dict], start: str) -> float:
    """NaN when one of them is."""
    return float(np.max([row["relative"] for row in rows if row["what"].startswith(start)]))


def stirred(twin: Twin) -> Twin:
    """A little off the first weights: a layer that starts at zero gives no gradient to what lies before it."""
    random = np.random.default_rng(0)
    return twin[0], jax.tree.map(lambda x: x + 0.02 * random.standard_normal(x.shape, np.float32), twin[1])


def _as(params: dict, dtype: str) -> dict:
    return jax.tree.map(lambda x: np.asarray(x, dtype), params)


def _row(what: str, dtype: str, ours: float, theirs: float) -> dict:
    return {"what": what, "dtype": dtype, "ours": ours, "torch": theirs, "relative": abs(ours - theirs) / abs(theirs)}


def twin_of(config: ConfigDict, dtype: str, params: dict | None, batch: Batch, contract, tokenizer) -> Twin:
    config.method.dtype = dtype
    method = build.make_method(config, contract, tokenizer)
    return method, params or jax.tree.map(np.asarray, jax.jit(method.init)(KEY, batch).params)


def compare(config: ConfigDict, n_steps: int | None) -> list[dict]:
    """Rows of loss, terms and gradients, then of the curves (`n_steps` each, else STEPS), first in float32."""
    corpus = open_corpus(tuple(config.data.stores))
    tokenizer = build.make_tokenizer(config, corpus)
    contract = build.make_contract(corpus, tokenizer, config.method.scaling)
    table = token_table(corpus, tokenizer, config.data.max_tokens)
    lines = corpus.lines("train")
    loader = Loader(corpus, lines, table.tokens, table.mask, {}, batch_size=config.data.batch_size, seed=config.seed)
    optimizer_config = from_fields(OptimizerConfig, config.optimizer.to_dict())

    def batches(dtype: str) -> Iterator[Batch]:
        return (loader.batch(number) for number in range(n_steps or STEPS[dtype]))

    rows, params, first = [], None, jax.device_put(loader.batch(0))
    for dtype in ("float32", "float64"):  # the first weights are those of float32
        twin = twin_of(config, dtype, params, first, contract, tokenizer)
        params = twin[1]
        rows += in_precision(dtype, parity, stirred(twin), first)
        rows += in_precision(dtype, curves, twin, optimizer_config, batches(dtype))
        mine = [row for row in rows if row["dtype"] == dtype]
        for what in ("loss", "term", "gradient", "curve"):
            print(f"{dtype} {what:9} largest relative difference {worst(mine, what):.1e}", flush=True)
    return rows
