"""Makes report.html of a finished evaluation again, from its files alone: no model, no recordings, no JAX.

docs/evaluation.md says which files. What has come since is shown too: diagnostics.json, later lines of metrics.jsonl.
"""

from cgdmer_jax import cli, path_arguments
from cgdmer_jax.report.make import make_report

EXAMPLE = "python -m experiments.report --evaluation=runs/ptbxl-nano/evaluation/ptbxl/test"


def main(words: list[str]) -> int:
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument(
        "--evaluation",
        type=path_arguments.input_folder,
        required=True,
        help="folder that experiments.evaluate wrote: RUN/evaluation/STORE/SPLIT, or step-N or merl in there",
    )
    args = parser.parse_args(words)
    print(f"report: {make_report(args.evaluation)}")
    return 0
