"""Zero-shot classes: the one place where prompts become the vector of a class, and answers the score of one.

A recording's score of a class is the cosine, the product of its feature `aligned` with that vector; of a method that
declares `queries` it is the answer.
"""

import numpy as np
from jaxtyping import Array, Bool, Float, Int32

from cgdmer_jax.batch import Batch
from cgdmer_jax.methods.protocol import Queried, Variables


def class_vectors(embedded: Float[Array | np.ndarray, "klass prompt embedding"]):
    """The mean of each class's prompt embeddings, normalised again: [class, embedding], of NumPy in NumPy."""
    xp = embedded.__array_namespace__()
    mean = embedded.mean(1)
    return mean / xp.sqrt(xp.maximum((mean * mean).sum(1, keepdims=True), 1e-12))


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
