"""Several configs trained on equally many records of one store, scored by one protocol, and put on one page."""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import jax

from cgdmer_jax import early_stop, provenance
from cgdmer_jax.config import load_config
from cgdmer_jax.data.corpus import Corpus, open_corpus
from cgdmer_jax.errors import CgdmerError, suggest
from cgdmer_jax.metrics.score_key import ScoreKey, key_of
from cgdmer_jax.provenance import commit, environment
from cgdmer_jax.recipes.untrained import untrained
from cgdmer_jax.recipes.utilisation import flop_a_record
from cgdmer_jax.report.comparison import ComparedRun, Comparison, comparison_page
from cgdmer_jax.studies import paired
from cgdmer_jax.studies.finished_runs import json_path, read_document
from cgdmer_jax.studies.grid import Planned, planned_run
from cgdmer_jax.studies.many_runs import finished_files, open_runs, prepare, run_all
from cgdmer_jax.studies.study import FINETUNING_STEPS, Study, is_figure
from cgdmer_jax.studies.table import SHOWN, Measured, compared, write_lines
from cgdmer_jax.whole_file import write_whole

EVALUATE = ("--features=main", "--parts=probe,zero_shot,retrieval,missing_leads,label_fractions", "--random_seeds=1")
NAMES = {"validation": "comparison", "test": "comparison_test"}  # of a study's files, by the split that is scored
TRAINED, RANDOM = "trained", "random_weights"  # encoders
KIND = ("evaluation", "encoder", "feature", "variant", "leads", "metric", "protocol", "label_fraction")


def compare(
    specs: Sequence[str],
    store: str,
    *,
    records: int,
    seeds: Sequence[int],
    split: str,
    workdir: Path,
    out: Path,
    finetuned: Sequence[str] = (),
    finetuning_steps: int = FINETUNING_STEPS,
    merl_tables: Path | None = None,
    dry_run: bool = False,
) -> int:
    """Trains and scores each config with each seed, those that are finished excepted; the exit code.

    - `specs`: FILE:SIZE of each config; differences are to the first.
    - `records`: number of records that each run sees, counted again in each epoch.
    - `split`: what is scored. Files of the test split begin with comparison_test: neither is taken for the other.
    - `workdir`: folder of the run folders.
    - `out`: folder of one JSON a run, and of comparison.json and comparison.html, which are of all finished runs.
    - `finetuned`: tasks that each encoder is fine-tuned on too, in `finetuning_steps` steps each.
    - `merl_tables`: folder of the published splits of protocol merl, by which each is scored too; None = it is not.

    Raises CgdmerError for a wrong config or task before anything runs, and for runs that failed after all others.
    """
    corpus = open_corpus((store,))
    for task in finetuned:
        if task not in (known := corpus.stores[0].tasks):
            raise CgdmerError(f'--finetune: store {store} has no task "{task}".{suggest(task, known)}')
    study = Study(NAMES[split], split, EVALUATE, is_kept, tuple(finetuned), finetuning_steps, merl_tables)
    planned = plan(specs, store, records, seeds)
    costs = {one.row: cost_of(one, corpus) for one in planned if one.seed == seeds[0]}
    to_run = open_runs(planned, study, corpus, out)
    print(f"{len(to_run)} of {len(planned)} runs are to be done now, {records:,} records each")
    for one in to_run:
        print(f"  {' '.join(one.words())}: {costs[one.row]['gflop_a_record']} GFLOP a record")
    if dry_run:
        return 0
    prepare(workdir, out)
    failed = run_all(to_run, study, corpus, workdir, out)
    if failed is None:
        return early_stop.PREEMPTED
    if finished := finished_files(planned, study, corpus, out):
        lacking = [f"{one.row} seed {one.seed}" for one in planned if json_path(one, study, out) not in finished]
        tell(finished, lacking, planned[0].row, split, costs, out / study.name)
    if failed:
        raise CgdmerError(
            f"{len(failed)} runs failed ({', '.join(failed)}); look above, then run the same command: it goes on with "
            "them"
        )
    return 0


def is_kept(row: Mapping[str, object], own: str) -> bool:
    """Of a share of the labels the row that chose on all validation labels."""
    return row["method"] in (own, RANDOM) and is_figure(row) and row["val_labels"] == "full"


def plan(specs: Sequence[str], store: str, records: int, seeds: Sequence[int]) -> list[Planned]:
    """Every (config, seed), the seeds of one config after another."""
    if len(set(seeds)) < len(seeds):
        raise CgdmerError(f"--seeds {' '.join(map(str, seeds))} names a seed twice; give each once")
    names = [row_name(spec) for spec in specs]
    if twice := [name for name in names if names.count(name) > 1]:
        raise CgdmerError(f"--configs: two of them are called {twice[0]}; give each config once")
    planned = []
    for name, spec in zip(names, specs, strict=True):
        try:
            planned += [planned_run(name, seed, spec, _overrides(spec, store, records, seed)) for seed in seeds]
        except CgdmerError as error:
            raise CgdmerError(f"--configs, {spec}: {error}") from error
    return planned


def row_name(spec: str) -> str:
    """configs/merl.py:nano,lead_dropout as merl-nano-lead_dropout."""
    file, _, size = spec.partition(":")
    return "-".join([Path(file).stem, *(part for part in re.split(r"\W+", size) if part)])


def _overrides(spec: str, store: str, records: int, seed: int) -> dict[str, object]:
    config = load_config(spec, [])
    batch = config.data.batch_size
    if records % batch or records < batch:
        raise CgdmerError(f"its batches have {batch} records, which do not divide --records={records}; give a multiple")
    steps = records // batch
    intervals = {f"run.{name}": steps for name in ("log_every", "validate_every") if config.run[name] > steps}
    return {"data.stores": store, "seed": seed, "optimizer.steps": steps, **intervals}


def cost_of(one: Planned, corpus: Corpus) -> dict[str, int | float]:
    """Parameters, and the matrix products of forward and backward pass, told from shapes; refuses a faulty config."""
    try:
        method, batch = untrained(one.config, corpus)
    except CgdmerError as error:
        raise CgdmerError(f"--configs, {one.spec}: {error}") from error
    key = jax.random.key(0)
    variables = jax.eval_shape(method.init, key, batch)
    return {
        "n_parameters": sum(math.prod(x.shape) for x in jax.tree.leaves(variables.params)),
        "gflop_a_record": round(flop_a_record(method, variables, batch, key) / 1e9, 3),
    }


def tell(
    finished: Sequence[Path],
    lacking: Sequence[str],
    reference: str,
    split: str,
    costs: Mapping[str, dict],
    stem: Path,
) -> None:
    """Writes the .json and .html of that stem, of the finished runs; both name those that are lacking."""
    documents = [read_document(file) for file in finished]
    figures, samples = [], {}
    for file, document in zip(finished, documents, strict=True):
        which = document["row"], document["seed"]
        own = document["config"]["method_name"]
        figures += [_figure(which, row, own) for row in document["rows"] if _is_measured(row)]
        kept = file.with_suffix(".npz")
        samples[which] = {_of_encoder(key, own): one for key, one in paired.load_samples(kept).items()}
    rows = compared(figures, KIND, reference, samples)
    head = {
        "command": provenance.command_line(),
        "commit": commit(),
        "environment": environment(),
        "split": split,
        "reference": reference,
        "unfinished_runs": list(lacking),
        "runs": [_told_run(document, costs[document["row"]]) for document in documents],
    }
    write_lines(table := stem.with_suffix(".json"), head, rows)
    shown = Comparison(reference, [ComparedRun(**run) for run in head["runs"]], rows, split, head["command"], lacking)
    write_whole(page := stem.with_suffix(".html"), comparison_page(shown))
    if lacking:
        print(f"without {', '.join(lacking)}: not finished")
    print(f"table: {table}\npage: {page}")


def _is_measured(row: Mapping) -> bool:
    return row["value"] is not None and row["metric"] in SHOWN


def _figure(which: tuple[str, int], row: Mapping, own: str) -> Measured:
    kind = row["evaluation"], _encoder(row["method"], own), *(row[name] for name in KIND[2:])
    # A key does not tell the protocol: those of merl have no resampled figures.
    key = _of_encoder(key_of(row), own) if row["protocol"] == "clean" else None
    return Measured(*which, kind, row["task"], row["value"], key)


def _of_encoder(key: ScoreKey, own: str) -> ScoreKey:
    """The key under a name of its encoder that all methods share."""
    return key._replace(method=_encoder(key.method, own))


def _encoder(method: str, own: str) -> str:
    return TRAINED if method == own else method


def _told_run(document: Mapping, costs: Mapping[str, int | float]) -> dict[str, object]:
    n_records = document["steps"] * document["config"]["data.batch_size"]
    return {
        "row": document["row"],
        "seed": document["seed"],
        "records": n_records,
        **costs,
        "petaflop": round(n_records * costs["gflop_a_record"] / 1e6, 3),
        "training_seconds": document["training_seconds"],
        "cpus": document["environment"]["cpus"],
        "training_commits": document["training_commits"],
    }
