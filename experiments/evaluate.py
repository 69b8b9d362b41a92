"""Scores a run on a converted store, part by part; protocol `clean` (docs/evaluation.md)."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np

from cgdmer_jax.data.prompts import prompts_sha256
from cgdmer_jax.data.splits import probe_folds
from cgdmer_jax.errors import CgdmerError, suggest
from cgdmer_jax.evaluation.report import text_table, write_report
from cgdmer_jax.evaluation.report_case import case_section
from cgdmer_jax.evaluation.report_diagnostics import diagnostics_section
from cgdmer_jax.evaluation.results import write_results
from cgdmer_jax.training.log import read_metrics
from cgdmer_jax.whole_file import whole_file
from experiments import command
from experiments.case import make_case
from experiments.case_origin import listed, versions
from experiments.diagnose import FILE as DIAGNOSTICS
from experiments.groups import add_groups
from experiments.label_fractions import add_label_fractions
from experiments.missing_leads import add_missing_leads
from experiments.probes import add_differences, add_floors, probe_encoders
from experiments.reconstruction import add_reconstruction
from experiments.reconstruction_page import reconstruction_pages
from experiments.retrieval import add_retrieval
from experiments.scoring import Evaluation, Plan, prepare
from experiments.trained import feature_names
from experiments.zero_shot import add_zero_shot

EXAMPLE = "python -m experiments.evaluate --run=runs/ptbxl-nano --store=stores/ptbxl100 --split=validation"
CURVES = {
    "Loss": {"training": "loss", "validation": "validation_loss"},
    "Reconstruction": {"training": "ecg", "validation": "validation_ecg"},
    "Cross reconstruction": {"training": "cross", "validation": "validation_cross"},
    "Report words": {"training": "text", "validation": "validation_text"},
    "Alignment": {"training": "align", "validation": "validation_align"},
    "Disentangling": {"training": "disentangle", "validation": "validation_disentangle"},
    "Retrieval": {"recall at 10": "validation_ecg_to_text_recall_at_10"},
}
PARTS: dict[str, Callable[[Evaluation, Plan], None]] = {
    "probe": probe_encoders,
    "zero_shot": add_zero_shot,
    "floors": add_floors,
    "retrieval": add_retrieval,
    "missing_leads": add_missing_leads,
    "reconstruction": add_reconstruction,
    "groups": add_groups,
    "label_fractions": add_label_fractions,
}
TEST_READS = Path(__file__).parents[1] / "results/test_reads.jsonl"
EMBEDDED = "synthetic"  # made anew by anyone: reading its test split spends nothing


def main(words: list[str]) -> int:
    parser = command.parser(__doc__, EXAMPLE)
    parser.add_argument("--run", required=True, help="run folder of experiments.pretrain")
    parser.add_argument("--store", required=True, help="converted store")
    parser.add_argument("--split", required=True, choices=("validation", "test"), help="what is scored")
    parser.add_argument("--checkpoint", type=int, help="step (default: the last)")
    parser.add_argument(
        "--features",
        default="main,encoder,shared,specific",
        help="by comma, of docs/evaluation.md; the first is the headline (default main,encoder,shared,specific)",
    )
    parser.add_argument("--random_seeds", type=int, default=3, help="random-weight encoders (default 3)")
    parser.add_argument("--kernels", type=int, default=2000, help="random convolution kernels (default 2000)")
    parser.add_argument(
        "--parts",
        default=",".join(PARTS),
        help=f"of {', '.join(PARTS)}; the probe, which the others need, always runs (default: all)",
    )
    args = parser.parse_args(words)
    evaluate(
        Path(args.run),
        args.store,
        args.split,
        checkpoint=args.checkpoint,
        features=tuple(args.features.split(",")),
        random_seeds=args.random_seeds,
        kernels=args.kernels,
        parts=tuple(args.parts.split(",")),
    )
    return 0


def evaluate(
    run: Path,
    store: str,
    split: str,
    *,
    checkpoint: int | None,
    features: tuple[str, ...],
    random_seeds: int,
    kernels: int,
    parts: tuple[str, ...] = tuple(PARTS),
) -> Evaluation:
    """Scores, writes evaluation/<store>/<split>/{results.json,predictions.npz,report.html}, prints the table."""
    for name in parts:
        if name not in PARTS:
            raise CgdmerError(f'--parts: there is no part "{name}".{suggest(name, PARTS)}')
    if len(set(features)) < len(features):
        raise CgdmerError(f"--features={','.join(features)} names a feature twice; name each once")
    begun = time.monotonic()
    state = prepare(run, store, split, checkpoint)
    for name in features:
        if name not in (known := feature_names(state.trained)):
            raise CgdmerError(f'--features: {state.base.method} has no feature "{name}".{suggest(name, known)}')
    if state.overlap:
        print(f"{state.overlap}: every figure is marked seen_in_training")
    line = command.command_line()
    if split == "test" and state.base.store != EMBEDDED:
        note_test_read(state, line)  # before the first figure: an evaluation that fails half way has been a look
    out = run / "evaluation" / state.base.store / split
    plan = Plan(features, random_seeds, kernels, out)
    for name, part in PARTS.items():
        if name in (*parts, "probe"):
            start = time.monotonic()
            part(state, plan)
            state.seconds[name] = round(time.monotonic() - start, 1)
    add_differences(state, features[0])
    write_results(out / "results.json", line, state.rows, origin(state) | {"seconds": state.seconds})
    save_predictions(state, out / "predictions.npz")
    report(state, out / "report.html", line, split, features[0])
    print(text_table([row for row in state.rows if row["metric"] != "auroc_difference"]))
    total = time.monotonic() - begun
    print(f"{', '.join(f'{name} {s:.0f} s' for name, s in state.seconds.items())}; {total:.0f} s in all")
    print(f"report: {out / 'report.html'}")
    return state


def origin(state: Evaluation) -> dict:
    """What the figures come from: the run, its checkpoint, the commit it was trained at, and the prompts."""
    run = state.trained
    return {
        "run": run.folder.path.name,
        "step": run.step,
        "checkpoint": run.checkpoint,
        "trained_at": run.folder.starts()[-1]["commit"],
        "store": state.corpus.fingerprint,
        "prompts": prompts_sha256(state.base.store),
    }


def save_predictions(state: Evaluation, path: Path) -> None:
    """Scores [record, class] ([seed, record, class] of several seeds), labels and ids: any later metric's input."""
    arrays = dict(state.predictions)
    for task in state.tasks:
        scored = state.lines[task.score]
        arrays[f"{task.name}/labels"] = task.labels[task.score]
        arrays[f"{task.name}/classes"] = np.array(task.classes)
        arrays[f"{task.name}/record_id"] = state.corpus.column("record_id")[scored].astype(str)
        arrays[f"{task.name}/patient_id"] = state.corpus.patient_id[scored].astype(str)
    with whole_file(path) as file:
        np.savez_compressed(file, **arrays)


def report(state: Evaluation, path: Path, line: str, split: str, feature: str) -> None:
    """`feature` is the headline."""
    run, diagnosed = state.trained, path.with_name(DIAGNOSTICS)
    write_report(
        path,
        title=f"{run.config.method_name} on {state.corpus.stores[0].info['name']}, {split} split",
        facts=facts_of(state, line, split),
        rows=state.rows,
        own_method=state.base.method,
        curves=CURVES,
        metrics=read_metrics(run.folder.metrics),
        pages=reconstruction_pages(state),
        more=[case_section(make_case(state, feature))]
        + ([diagnostics_section(json.loads(diagnosed.read_text()))] if diagnosed.exists() else []),
    )


def facts_of(state: Evaluation, line: str, split: str) -> dict[str, str]:
    """Head of the report."""
    run, info, folds = state.trained, state.corpus.stores[0].info, probe_folds(split)
    return {
        "Run": f"{run.folder.path}, step {run.step}",
        "Method": run.config.method_name,
        "Store": f"{info['name']}, {state.corpus.n_records:,} records, {state.corpus.rate:g} Hz ({info['licence']})",
        "Protocol": f"clean; split {split}: fitted on folds {listed(folds.fit)}, C chosen on {listed(folds.choose)}, "
        f"scored on {listed(folds.score)}",
        "Trained on": ", ".join(f"{t.name} ({len(t.patient_sha256):,} patients)" for t in run.contract.trained_on),
        "Scored records seen in training": str(state.overlap),
        "Prompts": prompts_sha256(state.base.store)[:16] + " (sha256)",
        "Command": line,
        "Device": str(jax.devices()[0]),
        "Versions": versions(),
    }


def note_test_read(state: Evaluation, line: str) -> None:
    """Each look at a real test split is written down (DESIGN 6)."""
    TEST_READS.parent.mkdir(exist_ok=True)
    entry = {"command": line, "checkpoint": state.trained.checkpoint, "store": state.corpus.fingerprint}
    entry["date"] = time.strftime("%Y-%m-%d")
    with TEST_READS.open("a") as file:
        file.write(json.dumps(entry) + "\n")


if __name__ == "__main__":
    command.run(main)
