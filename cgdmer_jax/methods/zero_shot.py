"""Zero-shot classes of any method that declares text: the one place where prompts become the vector of a class.

A recording's score of a class is the cosine: the product of its feature `aligned` with that vector.
"""

import numpy as np
from jaxtyping import Array, Float


def class_vectors(embedded: Float[Array | np.ndarray, "klass prompt embedding"]):
    """The mean of each class's prompt embeddings, normalised again: [class, embedding], of NumPy in NumPy."""
    xp = embedded.__array_namespace__()
    mean = embedded.mean(1)
    return mean / xp.sqrt(xp.maximum((mean * mean).sum(1, keepdims=True), 1e-12))
