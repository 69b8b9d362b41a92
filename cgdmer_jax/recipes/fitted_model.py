"""A model folder that predicts classes by a probe: an encoder as it is, and a linear head fitted on its feature."""

import dataclasses
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from cgdmer_jax.contract import without_patients
from cgdmer_jax.data.corpus import Corpus
from cgdmer_jax.data.loader import Lines
from cgdmer_jax.interop.model_card import Figure, model_card
from cgdmer_jax.interop.prediction_head import PredictionHead
from cgdmer_jax.interop.pretrained import save_model
from cgdmer_jax.methods.finetune.config import HEAD_ALONE, FinetuneConfig
from cgdmer_jax.methods.finetune.method import ENCODER, HEAD, Finetune
from cgdmer_jax.methods.make import make_method
from cgdmer_jax.methods.protocol import Variables
from cgdmer_jax.metrics.probe import ProbePath
from cgdmer_jax.models.dense import LayerNorm, layer_norm
from cgdmer_jax.provenance import commit
from cgdmer_jax.recipes import build
from cgdmer_jax.recipes.export import facts_of
from cgdmer_jax.recipes.starting_encoder import StartingEncoder

NAME = "finetune"  # the method of a model that predicts
VOCABULARY = "The tokenizer is that of the encoder; a prediction reads no text."


def head_input(features: Float[np.ndarray, "record feature"]) -> Float[np.ndarray, "record feature"]:
    """Features as the linear map of a head sees them: behind its layer norm, which learns nothing here."""
    width = features.shape[1]
    normed = layer_norm(jnp.asarray(features), jnp.ones(width), jnp.zeros(width), LayerNorm.epsilon)
    return np.asarray(normed, np.float64)


def predicting_method(encoder: StartingEncoder, task: str, classes: tuple[str, ...]) -> tuple[Finetune, dict]:
    """The encoder with a head for these classes, and the fields that config.json holds of it."""
    config = FinetuneConfig(
        encoder_trained=HEAD_ALONE, encoder_name=encoder.name, encoder=encoder.fields, task=task, classes=classes
    )
    fields, contract = dataclasses.asdict(config), encoder.contract
    method = make_method(
        NAME,
        fields,
        n_leads=len(contract.leads),
        n_samples=contract.samples,
        rate=contract.rate,
        **build.of_tokenizer(encoder.tokenizer),
        max_tokens=encoder.max_tokens,
    )
    return method, fields


def save_fitted(
    out: Path,
    encoder: StartingEncoder,
    probe: ProbePath,
    strength: int,
    head: PredictionHead,
    corpus: Corpus,
    lines: Lines,
    *,
    name: str,
    figures: list[Figure],
    patient_key: bytes | None,
) -> None:
    """Writes the folder; `strength` is which one of the probe's, `lines` are the records that it was fitted on.

    `patient_key`: as of `export_model`. What the encoder's own folder tells of its patients is kept.
    """
    method, fields = predicting_method(encoder, head.task, head.codes)
    kernel = probe.weights[strength] / probe.std[:, None]
    bias = probe.bias[strength] - probe.mean @ kernel
    width = len(kernel)
    params = {
        "norm": {"scale": np.ones(width, np.float32), "bias": np.zeros(width, np.float32)},
        "logits": {"kernel": kernel.astype(np.float32), "bias": bias.astype(np.float32)},
    }
    kept = method.of_encoder(encoder.variables)
    variables: Variables = method.started({ENCODER: kept.params, HEAD: params}, kept.state)
    own = build.trained_on(corpus, 0, lines)
    contract = without_patients(
        dataclasses.replace(encoder.contract, trained_on=(own, *encoder.contract.trained_on)), patient_key
    )
    stores = [facts_of(own, corpus.stores[0]), *(facts_of(part, None) for part in encoder.contract.trained_on)]
    origin = {"fitted_at_commit": commit(), "encoder": encoder.name}
    save_model(
        out,
        variables=variables,
        method_name=NAME,
        method_fields=fields,
        max_tokens=encoder.max_tokens,
        contract=contract,
        tokenizer=encoder.tokenizer,
        origin=origin,
        card=model_card(name, NAME, contract, stores, figures, origin, VOCABULARY, head),
        head=head,
    )
