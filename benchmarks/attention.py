"""Time of attention forward and backward in each form, at the shapes of a CG-DMER size; forms taken in turn."""

import statistics
import time
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from benchmarks.train_step import method_of
from cgdmer_jax import cli, path_arguments
from cgdmer_jax.config import load_config
from cgdmer_jax.models.attention import KINDS, attention
from cgdmer_jax.models.masking.slots import kept_counts
from cgdmer_jax.provenance import write_figures

EXAMPLE = "python -m benchmarks.attention --config=configs/cgdmer.py:small --out=results/attention.json"


def shapes_of(config: ConfigDict) -> dict[str, tuple[int, int, int, int, int]]:
    """(batch, queries, keys, heads, width of a head) of each kind of stack."""
    method = method_of(config)
    n_tokens, n = method.network.n_leads * method.n_patches, config.data.batch_size
    kept = int(kept_counts(config.method.mask_ratio, n_tokens)[-1])
    queries = round(config.method.decode_ratio * (n_tokens - kept))

    def heads(size):
        return size.heads, size.width // size.heads

    words = config.data.max_tokens
    return {
        "ecg encoder": (n, kept, kept, *heads(config.method.ecg)),
        "ecg decoder": (n, queries, kept, *heads(config.method.decoder)),
        "text encoder": (2 * n, words, words, *heads(config.method.text)),
    }


def measure(config: ConfigDict, kinds: tuple[str, ...], *, calls: int, repeats: int) -> list[dict]:
    rows = []
    for stack, (batch, queries, keys, heads, dim) in shapes_of(config).items():
        draw, dtype = np.random.default_rng(0), config.method.dtype
        q = jnp.asarray(draw.normal(size=(batch, queries, heads, dim)), dtype)
        k, v = (jnp.asarray(draw.normal(size=(batch, keys, heads, dim)), dtype) for _ in range(2))
        length = jnp.asarray(draw.integers(keys // 2, keys + 1, batch), jnp.int32)
        seconds: dict[str, list[float]] = {}
        for kind in kinds:
            one = jax.jit(jax.grad(partial(_total, length=length, kind=kind), (0, 1, 2)))
            jax.block_until_ready(one(q, k, v))
            seconds[kind] = []
            for _ in range(repeats):
                begun = time.perf_counter()
                for _ in range(calls):
                    out = one(q, k, v)
                jax.block_until_ready(out)
                seconds[kind].append((time.perf_counter() - begun) / calls)
        rows += [
            {
                "stack": stack,
                "shape": [batch, queries, keys, heads, dim],
                "dtype": dtype,
                "kind": kind,
                "milliseconds": round(1e3 * statistics.median(took), 3),
                "device": jax.devices()[0].device_kind,
            }
            for kind, took in seconds.items()
        ]
    return rows


def _total(q, k, v, length, kind):
    return attention(q, k, v, length, kind).sum()


def main(words: list[str]) -> int:
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument("--config", required=True, help="of CG-DMER; fields are overridden as --config.a.b=value")
    parser.add_argument("--kinds", default="", help=f"of {', '.join(KINDS[1:])} (default: those of the device)")
    parser.add_argument("--calls", type=int, default=5, help="in a row (default 5)")
    parser.add_argument("--repeats", type=int, default=5, help="default 5")
    parser.add_argument("--out", type=path_arguments.output_file, help="JSON file of the rows")
    args, overrides = parser.parse_known_args(words)
    kinds = tuple(args.kinds.split(",")) if args.kinds else _of_device()
    rows = measure(load_config(args.config, overrides), kinds, calls=args.calls, repeats=args.repeats)
    for row in rows:
        print(f"{row['stack']:14} {row['shape']!s:26} {row['kind']:8} {row['milliseconds']:9.3f} ms")
    if args.out:
        write_figures(args.out, rows)
    return 0


def _of_device() -> tuple[str, ...]:
    return KINDS[1:] if jax.default_backend() == "gpu" else ("blocked", "xla")


if __name__ == "__main__":
    cli.run(main)
