"""A delineation as a model folder: an encoder's part that makes tokens, and the head, trained on all marked records."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from cgdmer_jax.contract import without_patients
from cgdmer_jax.data.corpus import Corpus
from cgdmer_jax.data.loader import Lines
from cgdmer_jax.interop.delineation_card import delineation_card
from cgdmer_jax.interop.pretrained import save_model
from cgdmer_jax.methods.delineate.method import Delineate
from cgdmer_jax.methods.finetune.config import SCRATCH
from cgdmer_jax.methods.protocol import Variables
from cgdmer_jax.provenance import commit
from cgdmer_jax.recipes import build
from cgdmer_jax.recipes.delineate import METHOD
from cgdmer_jax.recipes.export import facts_of, without_places
from cgdmer_jax.recipes.starting_encoder import StartingEncoder

TOLD = ("encoder_sha256", "init", "trained", "steps", "seed")  # settings that the folder tells


def save_delineation(
    out: Path,
    encoder: StartingEncoder,
    method: Delineate,
    variables: Variables,
    corpus: Corpus,
    lines: Lines,
    rows: Sequence[dict],
    settings: dict[str, object],
) -> None:
    """Writes the folder, which must not exist yet.

    `lines` are the records that it was trained on, `rows` the cross-validated figures, `settings` those of training.
    """
    own = build.trained_on(corpus, 0, lines)
    before = () if method.config.init == SCRATCH else encoder.contract.trained_on
    contract = build.completed(encoder.contract, corpus.stores)
    contract = without_patients(dataclasses.replace(contract, trained_on=(own, *before)), None)
    stores = [facts_of(own, corpus.stores[0]), *(facts_of(part, None) for part in before)]
    origin = {"trained_at_commit": commit(), "encoder": encoder.name, **{name: settings[name] for name in TOLD}}
    save_model(
        out,
        variables=variables,
        method_name=METHOD,
        method_fields=without_places(dataclasses.asdict(method.config)),
        max_tokens=encoder.max_tokens,
        contract=contract,
        tokenizer=encoder.tokenizer,
        origin=origin,
        card=delineation_card(out.name, contract, stores, rows, origin),
    )
