"""A trained run as a portable model folder with its card."""

import contextlib
from pathlib import Path

from ml_collections import ConfigDict

from cgdmer_jax import __version__
from cgdmer_jax.config import flat
from cgdmer_jax.contract import TrainedOn, without_patients
from cgdmer_jax.data.store.store import Store, open_store
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.interop.model_card import Figure, StoreFacts, model_card
from cgdmer_jax.interop.pretrained import save_model
from cgdmer_jax.metrics.features import BESIDE
from cgdmer_jax.metrics.results import RESULTS, read_results
from cgdmer_jax.provenance import commit
from cgdmer_jax.recipes import build
from cgdmer_jax.recipes.finetuned_head import head_of, read_head
from cgdmer_jax.recipes.pretrained_text import tower_name
from cgdmer_jax.recipes.trained_run import Trained
from cgdmer_jax.short_paths import short
from cgdmer_jax.training.run_folder import YOUNGER
from cgdmer_jax.waveform.conditioning import SHORTEST_SECONDS

KEY_HELP = (
    "file with a secret of yours: the model folder then holds keyed hashes of the training patients (default: none)"
)
LEAST_KEY = 16  # bytes
SHOWN = ("probe", "zero_shot", "finetune")
PLACES = ("text_tower", "encoder_from")  # fields that name a folder


def read_key(path: Path) -> bytes:
    """The file's bytes, enough of them that nobody can try them all."""
    key = path.read_bytes()
    if len(key) < LEAST_KEY:
        raise CgdmerError(
            f"--patient_key={path} has {len(key)} bytes, fewer than {LEAST_KEY}; make one with "
            "head -c 32 /dev/urandom > FILE, and keep it"
        )
    return key


def export_model(run: Trained, out: Path, patient_key: bytes | None = None) -> None:
    """Writes the model folder of a run, with its card. It tells neither who was trained on nor where that lay."""
    name = run.folder.path.absolute().name
    origin = {
        "run": name,
        "step": run.step,
        "checkpoint_sha256": run.checkpoint,
        "trained_at_commit": run.folder.starts()[-1]["commit"],
        "exported_at_commit": commit(),  # null of an installed copy, which its version tells
        "exported_at_version": __version__,
    }
    method = run.config.method_name
    contract = without_patients(build.completed(run.contract, stores_at_hand(run)), patient_key)
    head = head_of(run)
    save_model(
        out,
        variables=run.variables,
        method_name=method,
        method_fields=without_places(run.config.method.to_dict()),
        max_tokens=run.config.data.max_tokens,
        contract=contract,
        tokenizer=run.tokenizer,
        origin=origin,
        card=model_card(name, method, contract, store_facts(run), figures(run), origin, vocabulary(run.config), head),
        head=head,
    )


def chosen_step(run: Path) -> int | None:
    """The step that a fine-tuned run was scored at; None of another run, of which the last one is taken."""
    found = read_head(run)
    return None if found is None else found.step


def without_places(fields: dict) -> dict:
    """A method's fields without the folders of this machine."""
    return {
        name: without_places(value) if isinstance(value, dict) else short(value) if name in PLACES else value
        for name, value in fields.items()
    }


def vocabulary(config: ConfigDict) -> str:
    """Origin of the tokenizer's words, and whose they may be."""
    if config.method_name == "finetune":
        return "The tokenizer is that of the encoder that was fine-tuned; a prediction reads no text."
    if tower_name(config):
        return "The tokenizer is that of the pretrained text encoder, not made from these reports."
    if config.data.tokenizer:
        return "The tokenizer was given, not made from these reports; it may hold any word of its own texts."
    n = (YOUNGER | flat(config.to_dict()))["data.min_patients"]
    if n <= 1:
        return "The tokenizer was made from these reports without a bound, and may hold any word of them, names too."
    return (
        "The tokenizer was made from these reports: each piece of several letters is part of a word that stands in "
        f"those of at least {n} patients (`data.min_patients`). What fewer share, as a name, is spelled by letters."
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
    at_hand = {store.fingerprint: store for store in stores_at_hand(run)}
    return [facts_of(part, at_hand.get(part.fingerprint)) for part in run.contract.trained_on]


def facts_of(part: TrainedOn, store: Store | None) -> StoreFacts:
    """A store as the card tells of it; `store` where it is at hand."""
    absent = "not known here (the store was not at hand at export)"
    if store is None:
        return StoreFacts(part.name, part.n_patients, absent, absent, absent)
    return StoreFacts(part.name, part.n_patients, store.info["licence"], store.info["citation"], kept_seconds(store))


def kept_seconds(store: Store) -> str:
    """The seconds of longer recordings that a store holds, and how many of all were cut or padded."""
    seconds, which = f"{store.info['seconds']:g} s", store.info.get("windows", "first")
    if which == "all":
        told = f"of one longer than {seconds} every {seconds} are a record, but for a rest under {SHORTEST_SECONDS:g} s"
    else:
        n_longer = store.info.get("n_longer")  # stores of before do not know
        cut = "how many were longer is not known" if n_longer is None else f"{n_longer:,} were longer"
        told = f"the {'central' if which == 'centre' else 'first'} {seconds} of each; {cut}"
    try:
        n_short = int((store.column("valid_length") < store.n_samples).sum())
    except CgdmerError:  # damaged since; the model was trained before, and its export needs nothing of it
        return f"{told}; how many are shorter and padded is not known (the store is damaged)"
    return f"{told}; of {store.n_records:,} records {n_short:,} are shorter and padded"


def figures(run: Trained) -> list[Figure]:
    """Macro AUROC of the whole under protocol clean, of every evaluation of this very checkpoint.

    An evaluation that could score no task is one without a value.
    """
    found = []
    for path in sorted(run.folder.evaluation.rglob(RESULTS)):
        results = read_results(path)
        if results["origin"].get("checkpoint") != run.checkpoint:
            continue
        store, split, *_ = path.relative_to(run.folder.evaluation).parts  # two stores of a collection are told apart
        shown = [
            _figure(row, store)
            for row in results["rows"]
            if row["evaluation"] in SHOWN
            and row["protocol"] == "clean"
            and not str(row["feature"]).endswith(BESIDE)  # nothing that the folder gives
            and (row["class"], row["metric"], row["group"], row["leads"]) == ("macro_ge10", "auroc", "all", "all")
            and (row["label_fraction"] == 1.0 or row["evaluation"] == "finetune")
        ]
        if not shown and all(row["protocol"] == "clean" for row in results["rows"]):
            shown = [Figure("", store, split, "any task", None, None, None, 0, ())]
        found += shown
    return list(dict.fromkeys(found))  # the last checkpoint may have been asked for by its step too


def _figure(row: dict, store: str) -> Figure:
    what = [row["method"].replace("_", " "), row["evaluation"].replace("_", "-"), row["feature"], row["variant"]]
    marks = [row["domain"], row["supervision"]] + ["seen in training"] * row["seen_in_training"]
    return Figure(
        what=", ".join(part for part in what if part),
        store=store,
        split=row["split"],
        task=row["task"],
        value=row["value"],
        low=row["low"],
        high=row["high"],
        n=row["n"],
        marks=tuple(marks),
    )
