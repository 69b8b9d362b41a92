"""P, QRS and T of the recording on the patient's page, as a model that delineates finds them."""

from dataclasses import dataclass

import jax
import numpy as np

from cgdmer_jax.contract import CONVERSION
from cgdmer_jax.data.corpus import Corpus
from cgdmer_jax.data.token_table import TokenTable
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.interop.pretrained import Model, content_sha256, read_model
from cgdmer_jax.methods.delineate.method import wave_classes
from cgdmer_jax.recipes import build
from cgdmer_jax.short_paths import short
from cgdmer_jax.waveform.waves import FoundWave, waves_by_lead


@dataclass(frozen=True)
class WaveModel:
    """A model that delineates, and its name for the page."""

    model: Model
    told: str


def open_wave_model(name: str, corpus: Corpus) -> WaveModel:
    """The model folder of that name. Raises CgdmerError where it does not delineate, or not what the store holds."""
    model = read_model(name)
    if not model.method.declared.delineates:
        raise CgdmerError(
            f"--waves={name} has no head that delineates; give a folder that experiments.delineate wrote (--model_out)"
        )
    store = corpus.stores[0]
    for field in CONVERSION:
        if (needed := getattr(model.contract, field)) != (found := store.info[field]):
            raise CgdmerError(
                f"--waves={name} was trained with {field} {needed}, and store {store.path} has {found}; give a model "
                "of such a store"
            )
    return WaveModel(model, f"{short(name)} ({content_sha256(name)[:16]})")


def waves_of(found: WaveModel, corpus: Corpus, line: int, table: TokenTable) -> dict[str, tuple[FoundWave, ...]]:
    """Waves of one record, by lead; the stored samples are those that the model reads."""
    model = found.model
    batch, _ = next(iter(build.read_batches(corpus, np.array([line]), table, 1)))
    classes = jax.jit(lambda variables, given: wave_classes(model.method, variables, given))(model.variables, batch)
    valid = np.asarray(classes)[0, :, : int(corpus.length[line])]
    by_lead = waves_by_lead(valid, corpus.lead_mask[line], corpus.rate)
    return {lead: tuple(waves) for lead, waves in by_lead.items()}
