"""Diagnoses the shared and specific features of a run: gradient norms, ranks, predictability, gap, probes.

docs/diagnostics.md says how each figure is made. Writes diagnostics.json where experiments.evaluate writes its results
of the same store, split and checkpoint; the next report made there (experiments.report) shows it.
"""

from pathlib import Path

from cgdmer_jax import cli, path_arguments
from cgdmer_jax.evaluation.diagnostics import diagnose
from cgdmer_jax.report.diagnostics import diagnostics_text

EXAMPLE = "python -m experiments.diagnose --run=runs/ptbxl-nano --store=stores/ptbxl100 --split=validation"


def main(words: list[str]) -> int:
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument("--run", type=path_arguments.path, required=True, help="run folder of experiments.pretrain")
    parser.add_argument("--store", type=path_arguments.names, required=True, help="converted store")
    # Diagnostics serve choices, and those are made on validation.
    parser.add_argument("--split", required=True, choices=("validation",), help="what is scored")
    parser.add_argument(
        "--checkpoint", type=int, help="step; its figures get a folder of their own (default: the last)"
    )
    args = parser.parse_args(words)
    document = diagnose(Path(args.run), args.store, args.split, checkpoint=args.checkpoint)
    print(diagnostics_text(document))
    return 0
