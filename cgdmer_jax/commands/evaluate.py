"""Scores a run on a converted store, part by part, by protocol `clean` or `merl` (docs/evaluation.md)."""

from pathlib import Path

from cgdmer_jax import cli, path_arguments
from cgdmer_jax.evaluation.evaluate import FEATURES, evaluate
from cgdmer_jax.evaluation.parts import MERL_PARTS, PARTS
from cgdmer_jax.metrics.protocols import MACRO

EXAMPLE = "python -m experiments.evaluate --run=runs/ptbxl-nano --store=stores/ptbxl100 --split=validation"


def main(words: list[str]) -> int:
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument("--run", type=path_arguments.path, required=True, help="run folder of experiments.pretrain")
    parser.add_argument("--store", type=path_arguments.names, required=True, help="converted store")
    parser.add_argument("--split", required=True, choices=("validation", "test"), help="what is scored")
    parser.add_argument("--protocol", default="clean", choices=tuple(MACRO), help="default clean")
    parser.add_argument(
        "--tables", type=path_arguments.path, help="for merl: its finetune/data_split (docs/evaluation.md)"
    )
    parser.add_argument(
        "--checkpoint", type=int, help="step; its results get a folder of their own (default: the last)"
    )
    parser.add_argument(
        "--features",
        help="comma-separated feature names (docs/evaluation.md); the first is the headline "
        f"(default: those of {', '.join(FEATURES)} that the method has)",
    )
    parser.add_argument("--random_seeds", type=int, default=3, help="random-weight encoders (default 3)")
    parser.add_argument("--kernels", type=int, default=2000, help="random convolution kernels (default 2000)")
    parser.add_argument(
        "--parts",
        help=f"of {', '.join(PARTS)}, for merl of {', '.join(MERL_PARTS)}; the probe, which the others need, "
        "always runs (default: all)",
    )
    parser.add_argument("--case", help="record shown on the report's patient page (default: the first one scored)")
    parser.add_argument(
        "--waves", type=path_arguments.names, help="model folder that marks P, QRS and T there (docs/delineation.md)"
    )
    parser.add_argument(
        "--prompts", type=path_arguments.path, help="JSON file of your own zero-shot prompts (docs/own_data.md)"
    )
    args = parser.parse_args(words)
    evaluate(
        Path(args.run),
        args.store,
        args.split,
        checkpoint=args.checkpoint,
        features=tuple(args.features.split(",")) if args.features else None,
        random_seeds=args.random_seeds,
        kernels=args.kernels,
        parts=tuple(args.parts.split(",")) if args.parts else None,
        protocol=args.protocol,
        tables=args.tables,
        case=args.case,
        prompts=args.prompts,
        waves=args.waves,
    )
    return 0
