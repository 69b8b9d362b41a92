"""Do the vectors of a text encoder separate the findings that the reports are about? A probe from report to labels.

Each record's vector is the mean over the tokens of its report; folds, probe and intervals are those of
experiments.evaluate on recordings. German and English reports are scored apart as well, by the same probe.
"""

from cgdmer_jax import cli, path_arguments
from cgdmer_jax.evaluation.text_probe import named_folders, probe_texts, table_text

EXAMPLE = (
    "python -m experiments.probe_texts --store=stores/ptbxl100 --text=minilm=minilm "
    "--run=scratch=runs/ptbxl-nano --out=results/text-probe.json"
)


def main(words: list[str]) -> int:
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument(
        "--store", type=path_arguments.names, required=True, help="converted store with labels and reports"
    )
    parser.add_argument(
        "--text",
        type=path_arguments.names,
        action="append",
        default=[],
        metavar="NAME=FOLDER",
        help="a text encoder (FOLDER or hf://owner/name@revision)",
    )
    parser.add_argument(
        "--run",
        type=path_arguments.names,
        action="append",
        default=[],
        metavar="NAME=RUN",
        help="a cgdmer run's own text encoder",
    )
    parser.add_argument("--max_tokens", type=int, default=64, help="of --text; longer reports are cut (default 64)")
    parser.add_argument("--out", type=path_arguments.output_file, required=True, help="JSON of the rows")
    args = parser.parse_args(words)
    texts, runs = named_folders("--text", args.text), named_folders("--run", args.run)
    print(table_text(probe_texts(args.store, texts, runs, max_tokens=args.max_tokens, out=args.out)))
    print(f"rows: {args.out}")
    return 0
