"""Fits labels of your own on a pretrained encoder: figures cross-validated by patient, and a model that predicts.

The encoder stays as it is; a logistic regression reads its features. The same command continues where it was stopped.
"""

import os

from cgdmer_jax import cli, path_arguments
from cgdmer_jax.data.readers.formats import Hints
from cgdmer_jax.data.readers.reader import names_in_order
from cgdmer_jax.evaluation.fitted import MODEL, N_DRAWS, REPORT, fit_labels, left_out
from cgdmer_jax.metrics.metrics import ENOUGH_POSITIVES
from cgdmer_jax.metrics.results import RESULTS
from cgdmer_jax.recipes.export import KEY_HELP, read_key
from cgdmer_jax.report.fitted import over_draws
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
    parser.add_argument(
        "--folds",
        type=int,
        default=5,
        help=f"of the cross-validation, by patient, drawn {N_DRAWS} times (default 5; 3 to half the patients)",
    )
    parser.add_argument("--partial", action="store_true", help="many of the recordings in the table may be missing")
    parser.add_argument("--patient_key", type=path_arguments.path, help=KEY_HELP)
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
        partial=args.partial,
        patient_key=None if args.patient_key is None else read_key(args.patient_key),
        processes=len(os.sched_getaffinity(0)),
    )
    for row in rows:
        if row["metric"] != "auroc" or row["variant"] is not None:
            continue
        spread = over_draws(rows, row["class"])
        told = text_cell(row) + (f" ({spread} in single draws of the folds)" if spread else "")
        if row["class"] not in MEANS:
            few = "" if spread else "; too few for a figure: what the model gives for it says nothing"
            print(f"{row['class']}: AUROC {told}, {row['n_positive']} of {row['n']} positive{few}")
        elif row["class"] == MEANS[0] and spread:
            print(f"mean of the classes with {ENOUGH_POSITIVES} positives: AUROC {told}")
    print(f"figures: {args.out / RESULTS}, {args.out / REPORT}\nmodel: {args.out / MODEL}")
    if sentence := left_out(args.out):
        print(sentence)
    return 0
