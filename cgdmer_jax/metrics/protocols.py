"""The two protocols of an evaluation, and what of `merl` is neither a table nor a probe.

See docs/design.md, "Protocols".
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int
from sklearn.model_selection import train_test_split

from cgdmer_jax.errors import CgdmerError

# protocol -> the class of its headline figure: merl's mean is over all classes, those of one positive included.
MACRO = {"clean": "macro_ge10", "merl": "macro_all"}
WORDS = {
    "clean": "classes with at least 10 positives, 95 % intervals over patients",
    "merl": "all classes of the published tables, as the release computes it: no interval",
}
FRACTIONS = (1.0, 0.1, 0.01)
SEED = 42  # of the release's draw of fewer labels, and of our first weights and orders
MAX_TEST = "max_test"  # the epoch that is best on the scored records themselves, which is what was published
NO_SIGNALS = "no signals"


def enough_to_draw(n: int, fraction: float) -> bool:
    """Whether that share of n records is a record at least."""
    return int(fraction * n) >= 1


def published_draw(n: int, fraction: float) -> Int[np.ndarray, "kept"]:
    """Records, of n in table order, that the release trains on: one unstratified draw, scikit-learn's with seed 42."""
    if fraction == 1.0:
        return np.arange(n)
    if not enough_to_draw(n, fraction):
        raise CgdmerError(f"{fraction:.0%} of {n} training records is none; give a store that holds more of the table")
    return train_test_split(np.arange(n), train_size=fraction, random_state=SEED)[0]


def no_signal_rows(rows: Sequence[dict], like: str, others: dict[str, str]) -> list[dict]:
    """Beside each headline row of the task `like`: an empty one for each of `others`, task -> collection not given."""
    shown = [row for row in rows if row["task"] == like and _is_headline(row)]
    empty = {"value": None, "low": None, "high": None, "n": 0, "n_positive": 0}
    return [row | empty | {"task": task, "store": store} for task, store in others.items() for row in shown]


def has_no_signals(row: dict) -> bool:
    """A row of `no_signal_rows`: nothing was scored."""
    return row["n"] == 0


def _is_headline(row: dict) -> bool:
    return row["class"] == MACRO[row["protocol"]] and row["metric"] == "auroc"
