"""Exports a checkpoint of a run as a portable model folder, for `cgdmer_jax.load`.

The model card tells what was trained on, and the figures of every evaluation of that checkpoint in the run folder.
"""

import contextlib
from pathlib import Path

from cgdmer_jax.contract import TrainedOn
from cgdmer_jax.data.store import Store, open_store
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.evaluation.results import commit, read_results
from cgdmer_jax.interop.model_card import Figure, StoreFacts, model_card
from cgdmer_jax.interop.pretrained import save_model
from experiments import build, command, path_arguments
from experiments.trained import Trained, load_run

EXAMPLE = "python -m experiments.export_model --run=runs/quickstart --out=models/quickstart"
SHOWN = ("probe", "zero_shot")


def main(words: list[str]) -> int:
    parser = command.parser(__doc__, EXAMPLE)
    parser.add_argument("--run", type=path_arguments.path, required=True, help="run folder of experiments.pretrain")
    parser.add_argument("--out", type=path_arguments.new_folder, required=True, help="model folder, made anew")
    parser.add_argument("--checkpoint", type=int, help="step (default: the last)")
    args = parser.parse_args(words)
    export_model(load_run(Path(args.run), args.checkpoint), Path(args.out))
    print(f"{args.out}: read {args.out}/README.md; in Python: cgdmer_jax.load({str(args.out)!r})")
    return 0


def export_model(run: Trained, out: Path) -> None:
    """Writes the model folder of a run, with its card."""
    name = run.folder.path.name
    origin = {
        "run": name,
        "step": run.step,
        "checkpoint_sha256": run.checkpoint,
        "trained_at_commit": run.folder.starts()[-1]["commit"],
        "exported_at_commit": commit(),
    }
    method = run.config.method_name
    contract = build.completed(run.contract, stores_at_hand(run))
    save_model(
        out,
        variables=run.variables,
        method_name=method,
        method_fields=run.config.method.to_dict(),
        max_tokens=run.config.data.max_tokens,
        contract=contract,
        tokenizer=run.tokenizer,
        origin=origin,
        card=model_card(name, method, contract, store_facts(run), figures(run), origin),
    )


def stores_at_hand(run: Trained) -> list[Store]:
    """The stores of the config that are still there."""
    found = []
    for path in run.config.data.stores:
        with contextlib.suppress(CgdmerError):  # moved or removed since: the card says so
            found.append(open_store(path))
    return found


def store_facts(run: Trained) -> list[StoreFacts]:
    """Licence and citation stand in the stores themselves, found by fingerprint."""
    at_hand = {store.fingerprint: store.info for store in stores_at_hand(run)}
    return [_facts(part, at_hand.get(part.fingerprint)) for part in run.contract.trained_on]


def _facts(part: TrainedOn, info: dict | None) -> StoreFacts:
    absent = "not known here (the store was not at hand at export)"
    licence, citation = (info["licence"], info["citation"]) if info else (absent, absent)
    return StoreFacts(part.name, len(part.patient_sha256), licence, citation)


def figures(run: Trained) -> list[Figure]:
    """Macro AUROC of the whole, of every evaluation of this very checkpoint."""
    found = []
    for path in sorted(run.folder.evaluation.glob("*/*/results.json")):
        results = read_results(path)
        if results["origin"]["checkpoint"] != run.checkpoint:
            continue
        found += [
            _figure(row)
            for row in results["rows"]
            if row["evaluation"] in SHOWN
            and (row["class"], row["metric"], row["group"], row["leads"]) == ("macro_ge10", "auroc", "all", "all")
            and row["label_fraction"] == 1.0
            and row["value"] is not None
        ]
    return found


def _figure(row: dict) -> Figure:
    what = [row["method"].replace("_", " "), row["evaluation"].replace("_", "-"), row["feature"], row["variant"]]
    marks = [row["domain"], row["supervision"]] + ["seen in training"] * row["seen_in_training"]
    return Figure(
        what=", ".join(part for part in what if part),
        store=row["store"],
        split=row["split"],
        task=row["task"],
        value=row["value"],
        low=row["low"],
        high=row["high"],
        n=row["n"],
        marks=tuple(marks),
    )


if __name__ == "__main__":
    command.run(main)
