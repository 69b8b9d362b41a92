"""`python -m tests.killed_finetune WORDS`: experiments.finetune of a plain encoder that kills itself, if KILL says so.

KILL as in tests/killed_pretrain.py; `-` and it is not killed.
"""

import os

from cgdmer_jax import cli
from cgdmer_jax.commands import finetune
from tests.evaluation.plain import plain_known

if __name__ == "__main__":
    if os.environ.setdefault("KILL", "-:0:0") != "-:0:0":
        from tests import killed_pretrain

        killed_pretrain.watch()
    with plain_known():
        cli.run(finetune.main)
