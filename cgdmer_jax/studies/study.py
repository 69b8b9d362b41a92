"""Kinds of study: how their runs are scored, and what is kept of each."""

from collections.abc import Callable, Mapping
from typing import NamedTuple


class Study(NamedTuple):
    """One kind of study."""

    name: str  # the JSON of each of its runs begins with it
    split: str  # what is scored
    evaluate: tuple[str, ...]  # further arguments of experiments.evaluate
    keeps: Callable[[Mapping[str, object], str], bool]  # of a row of results.json and the run's own method


def is_shown(row: Mapping[str, object]) -> bool:
    """Whether it is a macro AUROC or a figure of retrieval, of all records and with all labels."""
    return (row["group"], row["label_fraction"]) == ("all", 1.0) and (
        row["evaluation"] == "retrieval" or (row["class"] == "macro_ge10" and row["metric"] == "auroc")
    )
