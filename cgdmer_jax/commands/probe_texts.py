"""Do the vectors of a text encoder separate the findings that the reports are about? A probe from report to labels.

Each record's vector is the mean over the tokens of its report; folds, probe and intervals are those of
experiments.evaluate on recordings. German and English reports are scored apart as well, by the same probe.
"""

from cgdmer_jax import cli, path_arguments, provenance
from cgdmer_jax.data.corpus import open_corpus
from cgdmer_jax.evaluation.text_probe import encoders, named_folders, print_table, probed
from cgdmer_jax.metrics.results import write_results
from cgdmer_jax.recipes import build

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
    corpus = open_corpus((args.store,))
    build.check_cleaning(corpus)
    rows = []
    made = encoders(corpus, named_folders("--text", args.text), named_folders("--run", args.run), args.max_tokens)
    for rows_of_encoder in probed(corpus, made):
        rows += rows_of_encoder
    write_results(args.out, provenance.command_line(), rows, {"store": corpus.fingerprint})
    print_table(rows)
    print(f"rows: {args.out}")
    return 0
