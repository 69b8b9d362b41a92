"""`experiments.finetune` as a user starts it: its words, a whole run, and one that is killed and started again."""

from pathlib import Path

import pytest

from cgdmer_jax.commands import finetune
from tests.small_runs import ROOT, start_module

KEEPS_ALL = ("--config.method.patience=0", "--config.run.keep_last=9", "--config.run.log_every=1")


def finetune_words(pretrained: Path, store: Path, workdir: Path, *more: str, **settings: object) -> list[str]:
    """`settings`: of the optimiser. Every checkpoint of a run by these words is kept."""
    asked = [f"--run={pretrained}", f"--store={store}", "--task=findings", "--split=test", f"--workdir={workdir}"]
    of_optimizer = [f"--config.optimizer.{name}={value}" for name, value in settings.items()]
    return [*asked, *KEEPS_ALL, "--config.data.batch_size=16", "--config.run.checkpoint_every=2", *of_optimizer, *more]


def run_finetune(words: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        assert finetune.main(words) == 0


def run_killed(words: list[str], kills: tuple[str, ...]) -> None:
    """POINT:COUNT:SIGNAL of each start (tests/killed_finetune.py), then one that comes to the end."""
    for kill in (*kills, "-:0:0"):
        process = start_module("tests.killed_finetune", words, KILL=kill)
        said, _ = process.communicate()
        assert process.returncode == -int(kill.rpartition(":")[2]), said
