"""Prints the FLOPs a record of CG-DMER's forward pass, by part and size."""

from pathlib import Path

import jax
import numpy as np

from cgdmer_jax.batch import Batch
from cgdmer_jax.methods.cgdmer import CgDmer, CgDmerConfig
from cgdmer_jax.methods.cgdmer_flops import ECG_SIDE, TEXT_SIDE, flops_by_part
from cgdmer_jax.methods.make import from_fields
from configs.cgdmer import FROM_SCRATCH, get_config
from experiments import command
from experiments.figures import write_figures

EXAMPLE = "python -m benchmarks.flops --out=results/flops.json"

BATCH = 64
RATE, SAMPLES, LEADS = 100.0, 1000, 12


def parts_of(size: str) -> dict[str, int]:
    config = get_config(size)
    vocabulary, max_tokens = config.data.vocabulary, config.data.max_tokens
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
    return flops_by_part(method, batch)


def main(words: list[str]) -> None:
    parser = command.parser(__doc__, EXAMPLE)
    parser.add_argument("--out", type=Path, help="JSON file for the rows")
    args = parser.parse_args(words)
    rows = []
    for size in FROM_SCRATCH:
        parts = parts_of(size)
        text, ecg = sum(parts[p] for p in TEXT_SIDE), sum(parts[p] for p in ECG_SIDE)
        decoder = parts["ecg decoder"] / (parts["ecg encoder"] + parts["ecg specific and shared"])
        print(f"{size}: {sum(parts.values()) / 1e6:.1f} MFLOP a record forward; text/ECG {text / ecg:.2f}, ", end="")
        print(f"decoder/encoders {decoder:.2f}")
        for part, flops in parts.items():
            print(f"  {part:26s} {flops / 1e6:10.2f}")
            rows.append({"size": size, "part": part, "mflop_per_record": round(flops / 1e6, 3)})
    if args.out:
        write_figures(args.out, rows)


if __name__ == "__main__":
    command.run(main)
