"""Scores a run on a converted store: probe, zero-shot, floors, intervals; protocol `clean` (docs/evaluation.md)."""

import json
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import jax
import numpy as np

from cgdmer_jax.data.corpus import Corpus, open_corpus
from cgdmer_jax.data.prompts import prompts_sha256
from cgdmer_jax.data.splits import in_folds, probe_folds
from cgdmer_jax.data.tokens import TokenTable, token_table
from cgdmer_jax.evaluation import bootstrap
from cgdmer_jax.evaluation.features import convolve, draw_kernels, hand36
from cgdmer_jax.evaluation.probe import fit_probe
from cgdmer_jax.evaluation.report import text_table, write_report
from cgdmer_jax.evaluation.results import Scored, Setting, paired_row, rows_for_scores, write_results
from cgdmer_jax.evaluation.ridge import fit_ridge
from cgdmer_jax.training.log import read_metrics
from experiments import build, command, trained, zero_shot
from experiments.reconstruction_page import reconstruction_pages

EXAMPLE = "python -m experiments.evaluate --run=runs/ptbxl-nano --store=stores/ptbxl100 --split=validation"
CURVES = {
    "Loss": {"training": "loss", "validation": "validation_loss"},
    "Reconstruction": {"training": "ecg", "validation": "validation_ecg"},
    "Report words": {"training": "text", "validation": "validation_text"},
    "Alignment": {"training": "align", "validation": "validation_align"},
    "Disentangling": {"training": "disentangle", "validation": "validation_disentangle"},
    "Retrieval": {"recall at 10": "validation_ecg_to_text_recall_at_10"},
}
TEST_READS = Path("results/test_reads.jsonl")
EMBEDDED = "synthetic"  # made anew by anyone: reading its test split spends nothing


@dataclass
class Task:
    """Records of one task by role, as positions among the embedded records, and their labels."""

    name: str
    classes: list[str]
    fit: np.ndarray
    choose: np.ndarray
    score: np.ndarray
    labels: np.ndarray
    weights: np.ndarray  # bootstrap over the scored patients
    scored: dict[str, Scored] = field(default_factory=dict)


@dataclass
class Evaluation:
    """What every part of one evaluation needs, and the rows and scores that it fills."""

    trained: trained.Trained
    corpus: Corpus
    table: TokenTable
    lines: np.ndarray
    tasks: list[Task]
    base: Setting
    rows: list[dict] = field(default_factory=list)
    predictions: dict[str, np.ndarray] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def add(
        self, task: Task, scores: list, *, setting: dict, probabilities: bool, defined=None, interval=True
    ) -> Scored:
        """Rows of one kind of scores on one task (one array a seed), kept under a name for paired differences."""
        full = replace(self.base, task=task.name, **setting)
        weights = task.weights if interval else None
        labels = task.labels[task.score]
        scored = rows_for_scores(
            full, scores, labels, task.classes, probabilities=probabilities, defined=defined, weights=weights
        )
        self.rows += scored.rows
        name = "/".join(str(x) for x in (full.evaluation, full.method, full.feature, full.variant) if x)
        task.scored[name] = scored
        self.predictions[f"{task.name}/{name}"] = np.mean(scores, axis=0).astype(np.float32)
        return scored


def main(words: list[str]) -> int:
    parser = command.parser(__doc__, EXAMPLE)
    parser.add_argument("--run", required=True, help="run folder of experiments.pretrain")
    parser.add_argument("--store", required=True, help="converted store")
    parser.add_argument("--split", required=True, choices=("validation", "test"), help="what is scored")
    parser.add_argument("--checkpoint", type=int, help="step (default: the last)")
    parser.add_argument(
        "--features", default="main,encoder,shared,specific", help="probed ones; the first is the headline"
    )
    parser.add_argument("--random_seeds", type=int, default=3, help="random-weight encoders (default 3)")
    parser.add_argument("--kernels", type=int, default=2500, help="random convolution kernels (default 2500)")
    args = parser.parse_args(words)
    evaluate(
        Path(args.run),
        args.store,
        args.split,
        checkpoint=args.checkpoint,
        features=tuple(args.features.split(",")),
        random_seeds=args.random_seeds,
        kernels=args.kernels,
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
) -> Evaluation:
    """Scores, writes evaluation/<store>/<split>/{results.json,predictions.npz,report.html}, prints the table."""
    begun = time.monotonic()
    state = prepare(run, store, split, checkpoint)
    out = run / "evaluation" / state.base.store / split
    for name, part in (
        ("trained", lambda: probe_trained(state, features, out)),
        ("random weights", lambda: probe_random(state, features[0], random_seeds, out)),
        ("zero-shot", lambda: zero_shot.add_zero_shot(state, random_seeds)),
        ("floors", lambda: add_floors(state, kernels)),
    ):
        start = time.monotonic()
        part()
        state.seconds[name] = round(time.monotonic() - start, 1)
    add_differences(state, features[0])
    line = build.command_line("experiments.evaluate")
    write_results(out / "results.json", line, state.rows)
    save_predictions(state, out / "predictions.npz")
    report(state, out / "report.html", line, split)
    if split == "test" and state.base.store != EMBEDDED:
        note_test_read(state, line)
    print(text_table([row for row in state.rows if row["metric"] != "auroc_difference"]))
    total = time.monotonic() - begun
    print(f"{', '.join(f'{name} {s:.0f} s' for name, s in state.seconds.items())}; {total:.0f} s in all")
    print(f"report: {out / 'report.html'}")
    return state


def prepare(run: Path, store: str, split: str, checkpoint: int | None) -> Evaluation:
    """Loads run and store, refuses what does not fit, and sorts the records into roles."""
    loaded = trained.load_run(run, checkpoint)
    corpus = open_corpus((store,))
    build.check_contract(loaded.contract, corpus, store)
    table = token_table(corpus, loaded.tokenizer, loaded.config.data.max_tokens, cache=None)
    folds = probe_folds(split)
    lines = np.flatnonzero(in_folds(corpus.fold, folds.fit + folds.choose + folds.score))
    tasks = [make_task(corpus, name, lines, folds) for name in corpus.stores[0].tasks]
    seen = {sha for part in loaded.contract.trained_on for sha in part.patient_sha256}
    scored = np.flatnonzero(in_folds(corpus.fold, folds.score))
    overlap = seen & {build.patient_sha256(p) for p in corpus.patient_id[scored]}
    fingerprints = {part.fingerprint for part in loaded.contract.trained_on}
    base = Setting(
        store=corpus.stores[0].namespace,
        split=split,
        method=loaded.config.method_name,
        run=run.name,
        feature=None,
        feature_dim=None,
        evaluation="probe",
        task="",
        domain="in" if corpus.fingerprint in fingerprints else "out",
        supervision="labels",
        seen_in_training=bool(overlap),
    )
    return Evaluation(loaded, corpus, table, lines, tasks, base)


def make_task(corpus: Corpus, name: str, lines: np.ndarray, folds) -> Task:
    """Records without any label of the task are left out, as the published protocols do."""
    labels = corpus.labels(name)[lines]
    fold = corpus.fold[lines]
    fit, choose, score = (
        np.flatnonzero(labels.any(1) & in_folds(fold, part)) for part in (folds.fit, folds.choose, folds.score)
    )
    patients = corpus.patient_id[lines][score]
    weights = bootstrap.patient_weights(patients, bootstrap.N_RESAMPLES, seed=0)
    return Task(name, [c.code for c in corpus.classes(name)], fit, choose, score, labels, weights)


def probe(state: Evaluation, seeds: list[np.ndarray], setting: dict, *, interval: bool) -> None:
    """Probes one feature (one array a seed) on every task."""
    for task in state.tasks:
        scores, defined = [], np.ones(len(task.classes), bool)
        for x in seeds:
            fitted = fit_probe(x[task.fit], task.labels[task.fit], x[task.choose], task.labels[task.choose])
            scores.append(fitted.scores(x[task.score]))
            defined &= fitted.fitted
        full = setting | {"feature_dim": seeds[0].shape[1]}
        state.add(task, scores, setting=full, probabilities=True, defined=defined, interval=interval)


def probe_trained(state: Evaluation, features: tuple[str, ...], out: Path) -> None:
    run = state.trained
    key = f"{run.checkpoint[:16]}-{state.corpus.fingerprint[:16]}-{'+'.join(features)}"

    def compute():
        return trained.embed(run.method, run.variables, state.corpus, state.lines, state.table, features, "embed")

    made = trained.cached(out / f"features-{key}.npz", compute)
    for place, name in enumerate(features):
        probe(state, [made[name].astype(np.float64)], {"feature": name}, interval=place == 0)


def probe_random(state: Evaluation, feature: str, n_seeds: int, out: Path) -> None:
    """The same architecture with random weights, same pooling and probe."""
    run, made = state.trained, []
    for seed in range(n_seeds):
        key = f"random{seed}-{build.config_sha256(run.config)[:16]}-{state.corpus.fingerprint[:16]}-{feature}"

        def compute(seed=seed):
            variables = trained.random_variables(run, seed)
            label = f"embed, random weights {seed}"
            return trained.embed(run.method, variables, state.corpus, state.lines, state.table, (feature,), label)

        made.append(trained.cached(out / f"features-{key}.npz", compute)[feature].astype(np.float64))
    probe(state, made, {"method": "random_weights", "feature": feature}, interval=True)


def add_floors(state: Evaluation, n_kernels: int) -> None:
    """Random convolutions + ridge, and a logistic regression on 36 amplitudes."""
    corpus, lines = state.corpus, state.lines
    signal = corpus.read(lines)
    plain = hand36(signal, corpus.lead_mask[lines], corpus.length[lines]).astype(np.float64)
    probe(state, [plain], {"method": "hand36", "feature": "hand36"}, interval=True)
    fit = np.unique(np.concatenate([task.fit for task in state.tasks]))
    kernels = draw_kernels(signal[fit], n_kernels=n_kernels, seed=0)
    made = convolve(kernels, signal, n_threads=build.n_cpus())
    setting = {"method": "random_convolutions", "feature": "ridge", "feature_dim": made.shape[1]}
    for task in state.tasks:
        fitted = fit_ridge(made[task.fit], task.labels[task.fit], made[task.choose], task.labels[task.choose])
        scores = [fitted.scores(made[task.score])]
        state.add(task, scores, setting=setting, probabilities=False, defined=fitted.fitted)


def add_differences(state: Evaluation, feature: str) -> None:
    """Paired differences of the headline probe to each floor."""
    for task in state.tasks:
        own = task.scored[f"probe/{state.base.method}/{feature}"]
        for floor in (f"random_weights/{feature}", "random_convolutions/ridge", "hand36/hand36"):
            variant = "minus_" + floor.split("/")[0]
            state.rows.append(paired_row(own, task.scored[f"probe/{floor}"], variant=variant))


def save_predictions(state: Evaluation, path: Path) -> None:
    """Scores, labels and ids of everything scored: any later metric is computed from this file alone."""
    arrays = dict(state.predictions)
    for task in state.tasks:
        scored = state.lines[task.score]
        arrays[f"{task.name}/labels"] = task.labels[task.score]
        arrays[f"{task.name}/classes"] = np.array(task.classes)
        arrays[f"{task.name}/record_id"] = state.corpus.column("record_id")[scored].astype(str)
        arrays[f"{task.name}/patient_id"] = state.corpus.patient_id[scored].astype(str)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez_compressed(file, **arrays)
    part.replace(path)


def report(state: Evaluation, path: Path, line: str, split: str) -> None:
    run = state.trained
    info = state.corpus.stores[0].info
    folds = probe_folds(split)
    facts = {
        "Run": f"{run.folder.path}, step {run.step}",
        "Method": run.config.method_name,
        "Store": f"{info['name']}, {state.corpus.n_records:,} records, {state.corpus.rate:g} Hz ({info['licence']})",
        "Protocol": f"clean; split {split}: fitted on folds {folds.fit}, C chosen on {folds.choose}, scored on {folds.score}",
        "Trained on": ", ".join(f"{t.name} ({len(t.patient_sha256):,} patients)" for t in run.contract.trained_on),
        "Scored patients seen in training": "yes" if state.base.seen_in_training else "none",
        "Prompts": prompts_sha256(state.base.store)[:16] + " (sha256)",
        "Command": line,
        "Device": str(jax.devices()[0]),
    }
    write_report(
        path,
        title=f"{run.config.method_name} on {info['name']}, {split} split",
        facts=facts,
        rows=state.rows,
        own_method=state.base.method,
        curves=CURVES,
        metrics=read_metrics(run.folder.metrics),
        pages=reconstruction_pages(state),
    )


def note_test_read(state: Evaluation, line: str) -> None:
    """Each look at a real test split is written down (DESIGN 6)."""
    TEST_READS.parent.mkdir(exist_ok=True)
    entry = {"command": line, "checkpoint": state.trained.checkpoint, "store": state.corpus.fingerprint}
    entry["date"] = time.strftime("%Y-%m-%d")
    with TEST_READS.open("a") as file:
        file.write(json.dumps(entry) + "\n")


if __name__ == "__main__":
    command.run(main)
