"""Mean and standard deviation of the training draw, after a look at whether the features can be used."""

import numpy as np
from jaxtyping import Float, Float64

from cgdmer_jax.errors import CgdmerError


def training_moments(
    x_train: Float[np.ndarray, "record feature"], x_valid: Float[np.ndarray, "other feature"]
) -> tuple[Float64[np.ndarray, "feature"], Float64[np.ndarray, "feature"]]:
    """(mean, std) of the training draw; refuses empty or non-finite draws, the validation one's too."""
    check_features(x_valid, "validation")
    return moments(x_train, "training")


def moments(
    x: Float[np.ndarray, "record feature"], name: str
) -> tuple[Float64[np.ndarray, "feature"], Float64[np.ndarray, "feature"]]:
    """(mean, std) of a draw, std 1 for a constant feature; `name` is what an error calls the draw."""
    check_features(x, name)
    mean, std = x.mean(0, dtype=np.float64), x.std(0, dtype=np.float64)
    # Rounding leaves a constant feature a tiny spread, as scikit-learn's StandardScaler knows too.
    std[std <= 1e-7 * np.abs(mean)] = 1.0
    std[std == 0] = 1.0
    return mean, std


def check_features(x: Float[np.ndarray, "record feature"], name: str) -> None:
    """Refuses an empty draw and one that is not finite."""
    if not len(x):
        raise CgdmerError(f"there are 0 {name} records to fit on; choose a store or a task that has some")
    # A sum is not finite as soon as one value is not (a sum that overflows is as useless).
    if not np.isfinite(broken := x.sum(axis=1, dtype=np.float64)).all():
        record = int(np.flatnonzero(~np.isfinite(broken))[0])
        raise CgdmerError(
            f"the features of {name} record {record} are not finite; look at that recording, "
            "or at a model whose training diverged"
        )
