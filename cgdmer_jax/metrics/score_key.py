"""The key of one set of scores: in rows, in paired differences, and as text in predictions.npz."""

from collections.abc import Mapping
from typing import NamedTuple

from cgdmer_jax.errors import CgdmerError

VAL_LABELS = ("full", "cut")  # validation labels of a share of the labels: all of them, or the same share


class ScoreKey(NamedTuple):
    """The fields of a results row that tell one set of scores from all others of its evaluation."""

    task: str
    evaluation: str
    method: str
    feature: str | None
    variant: str | None = None
    leads: str = "all"
    label_fraction: float = 1.0
    val_labels: str = "full"

    def text(self) -> str:
        """Name in predictions.npz: usual values are left out of it."""
        if (self.feature is None and self.variant) or (self.variant is None and self.leads != "all"):
            raise ValueError(f"{self} has no name: leads stand after a variant, a variant after a feature")
        parts = [self.task, self.evaluation, self.method, self.feature, self.variant]
        parts += [self.leads] if self.leads != "all" else []
        parts += [self.label_fraction, self.val_labels] if self.label_fraction < 1 else []
        return "/".join(str(part) for part in parts if part is not None)


def key_of(fields: Mapping[str, object]) -> ScoreKey:
    """The key of a results row, or of a setting as a dict."""
    return ScoreKey(*(fields[name] for name in ScoreKey._fields))


def parse_key(text: str) -> ScoreKey:
    """The key with this text; raises where no key has it."""
    words, share = text.split("/"), {}
    if len(words) > 2 and words[-1] in VAL_LABELS:
        *words, fraction, val_labels = words
        share = {"label_fraction": _fraction(fraction), "val_labels": val_labels}
    if 3 <= len(words) <= 6:
        key = ScoreKey(*words[:3], words[3] if len(words) > 3 else None, *words[4:])._replace(**share)
        if key.text() == text:
            return key
    raise CgdmerError(
        f'"{text[:80]}" is not the name of a set of scores; a name reads task/evaluation/method/feature, then variant, '
        "leads, and share of labels with its validation labels where they are not the usual ones"
    )


def _fraction(word: str) -> float:
    """NaN for what is no number: no key has that text."""
    try:
        return float(word)
    except ValueError:
        return float("nan")
