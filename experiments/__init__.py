"""The commands, `python -m experiments.NAME`."""

import sys

from cgdmer_jax import early_stop, huge_pages

if sys.argv[:1] == ["-m"]:  # so Python calls a command whose module it has not found yet
    huge_pages.start_again_with_them()
    early_stop.listen_in(sys.orig_argv)
