"""Measurements, `python -m benchmarks.NAME`, each in the memory that the commands have."""

import sys

from cgdmer_jax import huge_pages

if sys.argv[:1] == ["-m"]:  # so Python calls a program whose module it has not found yet
    huge_pages.start_again_with_them()
