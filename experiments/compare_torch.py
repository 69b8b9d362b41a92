"""Compares CG-DMER in JAX with CG-DMER in PyTorch: loss, terms and gradients, then curves from equal weights."""

from cgdmer_jax import cli, config, path_arguments
from cgdmer_jax.provenance import write_figures

EXAMPLE = "python -m experiments.compare_torch --config=configs/cgdmer.py:nano --out=results/torch-parity.json"


def main(words: list[str]) -> int:
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument("--config", required=True, help="of CG-DMER; fields are overridden as --config.a.b=value")
    parser.add_argument("--steps", type=int, help="of each curve (default 10 in float64, 50 in float32)")
    parser.add_argument("--out", type=path_arguments.output_file, help="JSON file of the rows")
    args, overrides = parser.parse_known_args(words)
    from baselines.torch_cgdmer.parity import compare  # --help needs no torch

    rows = compare(config.load_config(args.config, overrides), args.steps)
    if args.out:
        write_figures(args.out, rows)
    return 0


if __name__ == "__main__":
    cli.run(main)
