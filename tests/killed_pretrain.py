"""`python -m tests.killed_pretrain WORDS`: experiments.pretrain that sends itself a signal at a point named in KILL.

A test that watches from outside and then kills is too late on a busy machine. KILL is POINT:N:SIGNAL: behind the N-th
line that this start logs, before the manifest of its N-th checkpoint, or within the N-th removal of an old one.
"""

import os
from pathlib import Path

from cgdmer_jax import cli
from cgdmer_jax.commands import pretrain
from cgdmer_jax.training import checkpoint
from cgdmer_jax.training.log import MetricsLog

POINT, COUNT, NUMBER = os.environ["KILL"].split(":")
seen = []


def kill_at(point: str) -> None:
    seen.append(point)
    if point == POINT and seen.count(point) == int(COUNT):
        os.kill(os.getpid(), int(NUMBER))


def logged(write):
    def call(self, record):
        write(self, record)
        kill_at("line")

    return call


def described(write_manifest):
    def call(*words):
        kill_at("manifest")
        write_manifest(*words)

    return call


def removed(remove):
    def call(folder: Path):
        if (folder / checkpoint.MANIFEST).exists():
            (folder / checkpoint.MANIFEST).unlink()
            kill_at("removal")
        remove(folder)

    return call


def watch() -> None:
    """From now on the points are watched for."""
    MetricsLog.write = logged(MetricsLog.write)
    checkpoint.write_manifest = described(checkpoint.write_manifest)
    checkpoint._remove = removed(checkpoint._remove)


if __name__ == "__main__":
    watch()
    cli.run(pretrain.main)
