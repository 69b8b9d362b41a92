"""Zero-shot scores: the one place where prompts become the vector of a class, and answers the score of one."""

import numpy as np
from jaxtyping import Array, Bool, Float, Int32

from cgdmer_jax.batch import Batch
from cgdmer_jax.methods.protocol import Method, Queried, Variables


def class_vectors(embedded: Float[Array | np.ndarray, "klass prompt embedding"]):
    """The mean of each class's prompt embeddings, normalised again: [class, embedding], of NumPy in NumPy."""
    xp = embedded.__array_namespace__()
    mean = embedded.mean(1)
    return mean / xp.sqrt(xp.maximum((mean * mean).sum(1, keepdims=True), 1e-12))


def scores(
    method: Method,
    variables: Variables,
    batch: Batch,
    tokens: Int32[Array | np.ndarray, "klass prompt token"],
    token_mask: Bool[Array | np.ndarray, "klass prompt token"],
) -> Float[Array, "batch klass"]:
    """Cosine of each recording to the vector of each class."""
    classes, prompts, width = tokens.shape
    flat = method.embed_text(variables, tokens.reshape(-1, width), token_mask.reshape(-1, width))
    vectors = class_vectors(flat.reshape(classes, prompts, -1))
    return method.embed_ecg(variables, batch)["aligned"] @ vectors.T


def answers(
    method: Queried,
    variables: Variables,
    batch: Batch,
    tokens: Int32[Array | np.ndarray, "klass prompt token"],
    token_mask: Bool[Array | np.ndarray, "klass prompt token"],
) -> Float[Array, "batch klass"]:
    """Logit of each class for each recording, the mean over its prompts; of a method that declares `queries`."""
    classes, prompts, width = tokens.shape
    queries = method.query_texts(variables, tokens.reshape(-1, width), token_mask.reshape(-1, width))
    return method.query_ecg(variables, batch, queries).reshape(-1, classes, prompts).mean(2)
