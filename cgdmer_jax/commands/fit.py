"""Fits labels of your own on a pretrained encoder: figures cross-validated by patient, and a model that predicts.

The encoder stays as it is; a logistic regression reads its features. The same command continues where it was stopped.
"""

import os

from cgdmer_jax import cli, path_arguments
from cgdmer_jax.data.readers.formats import Hints
from cgdmer_jax.data.readers.reader import names_in_order
from cgdmer_jax.evaluation.fitted import MODEL, REPORT, fit_labels
from cgdmer_jax.metrics.metrics import ENOUGH_POSITIVES
from cgdmer_jax.metrics.results import RESULTS
from cgdmer_jax.report.tables import text_cell
from cgdmer_jax.waveform.conditioning import UNITS_IN_MV

MEANS = ("macro_ge10", "macro_all")
EXAMPLE = (
    "python -m experiments.fit --model=models/quickstart --records=hospital --labels=hospital.csv "
    "--columns=record=file,patient=patient,labels:finding=AF+LVH --out=fitted"
)


def main(words: list[str]) -> int:
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument(
        "--model", type=path_arguments.names, required=True, help="pretrained model folder, or hf://owner/name@revision"
    )
    parser.add_argument(
        "--records", type=path_arguments.input_folder, required=True, help="folder from which the table's paths start"
    )
    parser.add_argument("--labels", type=path_arguments.path, required=True, help="table, a line for each recording")
    parser.add_argument("--columns", required=True, help="which column says what, as for convert --source=table")
    parser.add_argument("--task", help="which task of --columns is learned (default: the only one)")
    parser.add_argument("--out", type=path_arguments.path, required=True, help="folder to write")
    parser.add_argument("--folds", type=int, default=5, help="of the cross-validation, by patient (default 5)")
    parser.add_argument("--recording_rate", type=float, help="Hz, of recordings whose files do not say it")
    parser.add_argument("--leads", help="names of their leads in order, by comma")
    parser.add_argument("--unit", choices=UNITS_IN_MV, help="of their samples")
    args = parser.parse_args(words)
    rows = fit_labels(
        args.model,
        args.records,
        args.labels,
        args.columns,
        args.out,
        task=args.task,
        hints=Hints(args.recording_rate, names_in_order(args.leads), args.unit),
        n_folds=args.folds,
        processes=len(os.sched_getaffinity(0)),
    )
    for row in rows:
        if row["metric"] == "auroc" and row["class"] not in MEANS:
            told = (
                "" if row["value"] is not None else "; too few for a figure: what the model gives for it says nothing"
            )
            print(f"{row['class']}: AUROC {text_cell(row)}, {row['n_positive']} of {row['n']} positive{told}")
        elif (row["metric"], row["class"]) == ("auroc", MEANS[0]) and row["value"] is not None:
            print(f"mean of the classes with {ENOUGH_POSITIVES} positives: AUROC {text_cell(row)}")
    print(f"figures: {args.out / RESULTS}, {args.out / REPORT}\nmodel: {args.out / MODEL}")
    return 0
