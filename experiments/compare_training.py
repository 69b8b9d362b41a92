"""Trains one config here and in PyTorch, seed by seed on equal batches, and compares what their features are worth.

The same command goes on where it was stopped; a run that PyTorch had not ended begins again.
"""

import json
import shutil
import sys
from pathlib import Path

from cgdmer_jax import cli, path_arguments, provenance
from cgdmer_jax.config import flat, load_config
from cgdmer_jax.data.corpus import open_corpus
from cgdmer_jax.early_stop import PREEMPTED
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.evaluation.evaluation_folders import needed_folder, scored_folder
from cgdmer_jax.metrics_file import read_metrics
from cgdmer_jax.provenance import commit, environment
from cgdmer_jax.short_paths import short_fields
from cgdmer_jax.studies.ablation import ABLATION
from cgdmer_jax.studies.one_run import kept_rows, run_child
from cgdmer_jax.studies.paired import Samples
from cgdmer_jax.studies.table import table_rows, text_tables, write_lines
from cgdmer_jax.training.run_folder import RunFolder

EXAMPLE = (
    "python -m experiments.compare_training --config=configs/cgdmer.py:nano --store=stores/ptbxl100 "
    "--workdir=runs/torch --out=results/torch-training.json --config.optimizer.steps=300"
)
OURS, THEIRS = "jax", "torch"


def main(words: list[str]) -> int:
    parser = cli.parser(__doc__, EXAMPLE)
    parser.add_argument("--config", required=True, help="of CG-DMER; fields are changed as --config.a.b=value")
    parser.add_argument(
        "--store", type=path_arguments.names, required=True, help="converted store: trained on and scored"
    )
    parser.add_argument("--seeds", default="0,1,2", help="by comma (default 0,1,2)")
    parser.add_argument("--workdir", type=path_arguments.output_folder, required=True, help="folder of the run folders")
    parser.add_argument("--out", type=path_arguments.output_file, required=True, help="JSON file of the comparison")
    args, overrides = parser.parse_known_args(words)
    config = load_config(args.config, overrides)
    documents, samples = [], {}
    for seed in map(int, args.seeds.split(",")):
        for side in (OURS, THEIRS):
            run = args.workdir / f"{side}-seed{seed}"
            own = [f"--config={args.config}", *overrides, f"--config.data.stores={args.store}", f"--config.seed={seed}"]
            trained = args.workdir / f"{OURS}-seed{seed}"
            wanted = own if side == OURS else [f"--run={trained}"]
            if code := train_and_score(side, run, wanted, args.store):
                return code
            document, samples[side, seed] = describe(side, seed, run, args.store)
            documents.append(document)
    rows = table_rows(documents, THEIRS, samples)
    head = {"command": provenance.command_line(), "commit": commit(), "environment": environment()}
    head |= {
        "config": short_fields(flat(config.to_dict())),
        "runs": [{n: d[n] for n in ("row", "seed", "metrics")} for d in documents],
    }
    write_lines(args.out, head, rows)
    print(text_tables(rows, THEIRS))
    return 0


def train_and_score(side: str, run: Path, words: list[str], store: str) -> int:
    """Does what is not done yet, in processes of their own; returns the exit code."""
    commands = [("pretrain" if side == OURS else "train_torch", [*words, f"--workdir={run}"])]
    commands.append(("evaluate", [f"--run={run}", f"--store={store}", f"--split={ABLATION.split}", *ABLATION.evaluate]))
    if scored_folder(run, open_corpus((store,)), ABLATION.split):
        return 0
    if side == THEIRS and any((run / "checkpoints").glob("*/manifest.json")):
        del commands[0]
    elif side == THEIRS:
        shutil.rmtree(run, ignore_errors=True)
    for name, given in commands:
        print(f"--- {run.name}: {name}", flush=True)
        code = run_child([sys.executable, "-m", f"experiments.{name}", *given])
        if code == PREEMPTED:
            return code
        if code:
            raise CgdmerError(f"experiments.{name} of {run} ended with {code}; look above, then run the same command")
    return 0


def describe(side: str, seed: int, run: Path, store: str) -> tuple[dict, dict[str, Samples]]:
    """Facts of a run for the comparison, and its macro AUROC on each resample of the patients."""
    lines = read_metrics(RunFolder(run).metrics)
    validation = [line for line in lines if "validation_loss" in line][-1]
    training = [line for line in lines if "loss" in line][-1]
    rows, samples = kept_rows(run, ABLATION, needed_folder(run, open_corpus((store,)), ABLATION.split))
    metrics = {"training": training, "validation": validation}
    return json.loads(json.dumps({"row": side, "seed": seed, "metrics": metrics, "rows": rows})), samples


if __name__ == "__main__":
    cli.run(main, resumes=True)
