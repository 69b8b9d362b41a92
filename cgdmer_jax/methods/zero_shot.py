"""Zero-shot classes: the one place where prompts become the vector of a class, and answers the score of one.

Of a method that declares text, a recording's score of a class is the cosine: the product of its feature `aligned` with
that vector. One that declares `queries` answers each prompt by itself.
"""

import numpy as np
from jaxtyping import Array, Float


def class_vectors(embedded: Float[Array | np.ndarray, "klass prompt embedding"]):
    """The mean of each class's prompt embeddings, normalised again: [class, embedding], of NumPy in NumPy."""
    xp = embedded.__array_namespace__()
    mean = embedded.mean(1)
    return mean / xp.sqrt(xp.maximum((mean * mean).sum(1, keepdims=True), 1e-12))


def class_answers(logits: Float[np.ndarray, "record prompt"], n_classes: int) -> Float[np.ndarray, "record klass"]:
    """The mean over each class's prompts, which stand class by class."""
    return logits.reshape(len(logits), n_classes, -1).mean(2)
