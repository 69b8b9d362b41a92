"""Kinds of study: how their runs are scored, and what is kept of each."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from cgdmer_jax.metrics.protocols import MACRO

FINETUNING_STEPS = 300


class Study(NamedTuple):
    """One kind of study."""

    name: str  # the JSON of each of its runs begins with it
    split: str  # what is scored
    evaluate: tuple[str, ...]  # further arguments of experiments.evaluate
    keeps: Callable[[Mapping[str, object], str], bool]  # of a row of results.json and the run's own method
    finetuned: tuple[str, ...] = ()  # tasks that each encoder is fine-tuned on too
    finetuning_steps: int = FINETUNING_STEPS
    merl_tables: Path | None = None  # of protocol merl, by which it is scored too


def is_shown(row: Mapping[str, object]) -> bool:
    """Whether it is a macro AUROC or a figure of retrieval, of all records and with all labels."""
    return row["label_fraction"] == 1.0 and is_figure(row)


def is_figure(row: Mapping[str, object]) -> bool:
    """The same with any share of the labels."""
    return row["group"] == "all" and (
        row["evaluation"] == "retrieval" or (row["class"] == MACRO[row["protocol"]] and row["metric"] == "auroc")
    )
