"""Classes of a fine-tuned model: how its logits become probabilities, and from which on a class counts as found."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.fields import REQUIRED, Checked, from_fields, setting

HEAD = "head.json"  # of a model folder, and of the run folder it comes from


@dataclass(frozen=True)
class PredictionHead(Checked):
    """Fields of head.json; each list has an entry for each class, in the order of the logits.

    logit(probability) = slope x logit + offset. A class with too few positives on the records that the calibration was
    fitted on has slope 1 and offset 0, and is not `calibrated`.
    """

    where = HEAD

    task: str = setting(REQUIRED, "task of the labels")
    codes: tuple[str, ...] = setting(REQUIRED, "code of each class")
    names: tuple[str, ...] = setting(REQUIRED, "its name")
    calibrated: tuple[bool, ...] = setting(REQUIRED, "whether its probabilities are calibrated")
    slopes: tuple[float, ...] = setting(REQUIRED, "slope of its calibration", above=0)
    offsets: tuple[float, ...] = setting(REQUIRED, "offset of its calibration")
    thresholds: tuple[float | None, ...] = setting(
        REQUIRED, "probability of highest F1 on those records; null without a positive among them", least=0, most=1
    )
    n_chosen_on: int = setting(REQUIRED, "records of calibration and thresholds", least=1, most=1 << 31)

    def __post_init__(self):
        super().__post_init__()
        lists = (self.codes, self.names, self.calibrated, self.slopes, self.offsets, self.thresholds)
        if len({len(one) for one in lists}) > 1 or not self.codes or len(set(self.codes)) < len(self.codes):
            raise CgdmerError(f"{HEAD} does not hold one entry for each class, each class once")

    def probabilities(self, logits: Float[np.ndarray, "record klass"]) -> Float64[np.ndarray, "record klass"]:
        """Calibrated where the class is."""
        scaled = np.array(self.slopes) * logits.astype(np.float64) + np.array(self.offsets)
        return 0.5 * (1 + np.tanh(0.5 * scaled))


def head_from(fields: Mapping[str, object], where: str, remedy: str) -> PredictionHead:
    """The head that a file holds; `where` and `remedy` as for `fields.from_fields`."""
    return from_fields(PredictionHead, fields, where, remedy=remedy)
