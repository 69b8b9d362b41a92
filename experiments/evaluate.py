"""Scores a run on a converted store, part by part, by protocol `clean` or `merl` (docs/evaluation.md)."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from cgdmer_jax.data.prompts import prompts_sha256, published_prompts_sha256
from cgdmer_jax.data.split_tables import tables_sha256
from cgdmer_jax.errors import CgdmerError, suggest
from cgdmer_jax.evaluation.protocols import MACRO
from cgdmer_jax.evaluation.report import text_table
from cgdmer_jax.evaluation.results import read_results, write_results
from cgdmer_jax.whole_file import whole_file
from experiments import command, path_arguments
from experiments.evaluation_page import report
from experiments.groups import add_groups
from experiments.label_fractions import add_label_fractions
from experiments.merl import add_merl_zero_shot, add_no_signals, add_sgd_probes, merl_records
from experiments.missing_leads import add_missing_leads
from experiments.probes import add_differences, add_floors, probe_encoders
from experiments.reconstruction import add_reconstruction
from experiments.retrieval import add_retrieval
from experiments.scoring import Evaluation, Plan, prepare, split_lines
from experiments.trained import feature_names
from experiments.zero_shot import add_zero_shot

EXAMPLE = "python -m experiments.evaluate --run=runs/ptbxl-nano --store=stores/ptbxl100 --split=validation"
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
MERL_PARTS: dict[str, Callable[[Evaluation, Plan], None]] = {"probe": add_sgd_probes, "zero_shot": add_merl_zero_shot}
RESULTS = "results.json"
TEST_READS = Path(__file__).parents[1] / "results/test_reads.jsonl"
EMBEDDED = "synthetic"  # made anew by anyone: reading its test split spends nothing


def main(words: list[str]) -> int:
    parser = command.parser(__doc__, EXAMPLE)
    parser.add_argument("--run", type=path_arguments.path, required=True, help="run folder of experiments.pretrain")
    parser.add_argument("--store", type=path_arguments.names, required=True, help="converted store")
    parser.add_argument("--split", required=True, choices=("validation", "test"), help="what is scored")
    parser.add_argument("--protocol", default="clean", choices=tuple(MACRO), help="default clean")
    parser.add_argument(
        "--tables", type=path_arguments.path, help="for merl: its finetune/data_split (docs/evaluation.md)"
    )
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
        help=f"of {', '.join(PARTS)}, for merl of {', '.join(MERL_PARTS)}; the probe, which the others need, "
        "always runs (default: all)",
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
        parts=tuple(args.parts.split(",")) if args.parts else None,
        protocol=args.protocol,
        tables=args.tables,
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
    parts: tuple[str, ...] | None = None,
    protocol: str = "clean",
    tables: Path | None = None,
) -> Evaluation:
    """Scores, writes evaluation/<store>/<split>[/merl]/{results.json,predictions.npz,report.html}, prints the table."""
    known_parts = PARTS if protocol == "clean" else MERL_PARTS
    check_request(protocol, tables, parts or (), features)
    begun = time.monotonic()
    sort = {} if tables is None else {"sort": merl_records(tables)}
    state = prepare(run, store, split, checkpoint, protocol=protocol, **sort)
    for name in features:
        if name not in (known := feature_names(state.trained)):
            raise CgdmerError(f'--features: {state.base.method} has no feature "{name}".{suggest(name, known)}')
    if state.overlap:
        print(f"{state.overlap}: every figure is marked seen_in_training")
    line = command.command_line()
    if split == "test" and state.base.store != EMBEDDED:
        note_test_read(state, line)  # before the first figure: an evaluation that fails half way has been a look
    out = folder_of(run, state, protocol)
    plan = Plan(features, random_seeds, kernels, cache_of(run, state), tables)
    for name, part in known_parts.items():
        if parts is None or name in (*parts, "probe"):
            start = time.monotonic()
            part(state, plan)
            state.seconds[name] = round(time.monotonic() - start, 1)
    add_differences(state, features[0]) if protocol == "clean" else add_no_signals(state)
    facts = origin(state, tables)
    write_results(out / RESULTS, line, state.rows, facts | {"seconds": state.seconds})
    save_predictions(state, out / "predictions.npz")
    report(state, out / "report.html", line, facts, features[0])
    both = [*state.rows, *other_protocol(run, state)]
    print(text_table(sorted(both, key=lambda row: list(MACRO).index(row["protocol"]))))
    total = time.monotonic() - begun
    print(f"{', '.join(f'{name} {s:.0f} s' for name, s in state.seconds.items())}; {total:.0f} s in all")
    print(f"report: {out / 'report.html'}")
    return state


def check_request(protocol: str, tables: Path | None, parts: tuple[str, ...], features: tuple[str, ...]) -> None:
    """Raises on what can be known before anything is loaded."""
    known = PARTS if protocol == "clean" else MERL_PARTS
    for name in parts:
        if name not in known:
            raise CgdmerError(f'--parts: protocol {protocol} has no part "{name}".{suggest(name, known)}')
    if len(set(features)) < len(features):
        raise CgdmerError(f"--features={','.join(features)} names a feature twice; name each once")
    if (protocol == "merl") != (tables is not None):
        raise CgdmerError("--tables=FOLDER (MERL's split tables, docs/evaluation.md) and --protocol=merl go together")


def folder_of(run: Path, state: Evaluation, protocol: str) -> Path:
    """Where the results of a protocol stand."""
    clean = run / "evaluation" / state.base.store / state.base.split
    return clean if protocol == "clean" else clean / protocol


def cache_of(run: Path, state: Evaluation) -> Path:
    """Features of the same records are made once for both protocols."""
    same = np.array_equal(state.lines, split_lines(state.corpus, state.base.split))
    return folder_of(run, state, "clean" if same else state.base.protocol)


def other_protocol(run: Path, state: Evaluation) -> list[dict]:
    """Rows of the other protocol, where it was evaluated on the same checkpoint and store."""
    (name,) = MACRO.keys() - {state.base.protocol}
    file = folder_of(run, state, name) / RESULTS
    if not file.exists():
        return []
    document = read_results(file)
    here = {"checkpoint": state.trained.checkpoint, "store": state.corpus.fingerprint}
    return document["rows"] if document["origin"].items() >= here.items() else []


def origin(state: Evaluation, tables: Path | None) -> dict:
    """What the figures come from: the run, its checkpoint, the commit it was trained at, and the prompts."""
    run = state.trained
    return {
        "run": run.folder.path.name,
        "step": run.step,
        "checkpoint": run.checkpoint,
        "trained_at": run.folder.starts()[-1]["commit"],
        "store": state.corpus.fingerprint,
        "prompts": published_prompts_sha256(tables) if tables else prompts_sha256(state.base.store),
    } | ({"tables": tables_sha256(tables, state.base.store)} if tables else {})


def save_predictions(state: Evaluation, path: Path) -> None:
    """Scores [record, class] ([seed, record, class] of several seeds), labels and ids: any later metric's input."""
    arrays = dict(state.predictions)
    for task in state.tasks:
        scored = state.lines[task.score]
        arrays[f"{task.name}/labels"] = task.labels[task.score]
        arrays[f"{task.name}/classes"] = np.array(task.classes)  # of the scores
        if task.scored_classes:
            arrays[f"{task.name}/label_classes"] = np.array(task.scored_classes)
        arrays[f"{task.name}/record_id"] = state.corpus.column("record_id")[scored].astype(str)
        arrays[f"{task.name}/patient_id"] = state.corpus.patient_id[scored].astype(str)
    with whole_file(path) as file:
        np.savez_compressed(file, **arrays)


def note_test_read(state: Evaluation, line: str) -> None:
    """Each look at a real test split is written down (DESIGN 6)."""
    TEST_READS.parent.mkdir(exist_ok=True)
    entry = {"command": line, "checkpoint": state.trained.checkpoint, "store": state.corpus.fingerprint}
    entry["date"] = time.strftime("%Y-%m-%d")
    with TEST_READS.open("a") as file:
        file.write(json.dumps(entry) + "\n")


if __name__ == "__main__":
    command.run(main, resumes=True)
