"""The commands, `python -m experiments.NAME`."""

import sys

from cgdmer_jax import early_stop

if sys.argv[:1] == ["-m"]:  # so Python calls a command whose module it has not found yet
    early_stop.listen_in(sys.orig_argv)
