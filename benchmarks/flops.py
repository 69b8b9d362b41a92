"""Prints the FLOPs a record of CG-DMER's forward pass, by part and size.

With a pretrained text encoder: nano and minilm alone, and what forward and backward pass together multiply. What is
frozen has no backward pass there, so that this is less than three times the forward one.
"""

import jax
import jax.numpy as jnp
import numpy as np

from cgdmer_jax import cli, path_arguments
from cgdmer_jax.batch import Batch
from cgdmer_jax.config import from_fields
from cgdmer_jax.interop.huggingface import load_text_encoder
from cgdmer_jax.interop.text_architecture import architecture_of
from cgdmer_jax.methods.cgdmer.flops import ECG_SIDE, TEXT_SIDE, flops_by_part
from cgdmer_jax.methods.cgdmer.method import CgDmer, CgDmerConfig
from cgdmer_jax.methods.protocol import Variables
from cgdmer_jax.models.flops import matmul_flops
from cgdmer_jax.provenance import write_figures
from configs.cgdmer import FROM_SCRATCH, get_config

EXAMPLE = "python -m benchmarks.flops --out=results/flops.json"

BATCH = 64
RATE, SAMPLES, LEADS = 100.0, 1000, 12


def method_and_batch(size: str, architecture: dict | None = None) -> tuple[CgDmer, Batch]:
    """The method of that config, with its pretrained text encoder (if any) built like this; the batch as shapes."""
    config = get_config(size)
    vocabulary, max_tokens = config.data.vocabulary, config.data.max_tokens
    if architecture and config.method.text_tower:
        with config.unlocked():
            config.method.text_architecture = architecture
        vocabulary = architecture["vocabulary"]
    fields = from_fields(CgDmerConfig, config.method.to_dict())
    method = CgDmer(
        fields, n_leads=LEADS, n_samples=SAMPLES, rate=RATE, vocabulary=vocabulary, max_tokens=max_tokens, full_stop=-1
    )
    shape = jax.ShapeDtypeStruct
    batch = Batch(
        signal=shape((BATCH, LEADS, SAMPLES), np.int16),
        lead_mask=shape((BATCH, LEADS), bool),
        length=shape((BATCH,), np.int32),
        row=shape((BATCH,), np.int32),
        tokens=shape((BATCH, max_tokens), np.int32),
        token_mask=shape((BATCH, max_tokens), bool),
        text_id=shape((BATCH,), np.int32),
        text_columns={},
    )
    return method, batch


def forward_and_backward(method: CgDmer, batch: Batch) -> int:
    """FLOPs a record of the gradient as it is traced: what nothing differentiates is not in it."""
    key = jax.random.key(0)
    variables = jax.eval_shape(method.init, key, batch)
    draws = jax.eval_shape(method.draw, key, batch, jnp.float32(0))

    def gradient(params, state, batch, draws):
        return jax.grad(lambda p: method.loss(Variables(p, state), batch, draws, train=True)[0])(params)

    return matmul_flops(gradient, *variables, batch, draws) // BATCH


def main(words: list[str]) -> None:
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument(
        "--text", type=path_arguments.names, help="folder of a pretrained text encoder: nano beside minilm with it"
    )
    parser.add_argument("--out", type=path_arguments.output_file, help="JSON file for the rows")
    args = parser.parse_args(words)
    architecture = architecture_of(load_text_encoder(args.text)) if args.text else None
    rows = []
    for size in ("nano", "minilm") if architecture else FROM_SCRATCH:
        method, batch = method_and_batch(size, architecture)
        parts = flops_by_part(method, batch)
        text, ecg = sum(parts[p] for p in TEXT_SIDE), sum(parts[p] for p in ECG_SIDE)
        decoder = parts["ecg decoder"] / (parts["ecg encoder"] + parts["ecg specific and shared"])
        print(f"{size}: {sum(parts.values()) / 1e6:.1f} MFLOP a record forward; text/ECG {text / ecg:.2f}, ", end="")
        print(f"decoder/encoders {decoder:.2f}")
        for part, flops in parts.items():
            print(f"  {part:26s} {flops / 1e6:10.2f}")
            rows.append({"size": size, "part": part, "mflop_per_record": round(flops / 1e6, 3)})
        if architecture:
            flops = forward_and_backward(method, batch)
            print(f"  {'forward and backward':26s} {flops / 1e6:10.2f}")
            rows.append({"size": size, "part": "forward and backward", "mflop_per_record": round(flops / 1e6, 3)})
    if args.out:
        write_figures(args.out, rows)


if __name__ == "__main__":
    cli.run(main)
