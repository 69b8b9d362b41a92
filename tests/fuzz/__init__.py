"""Fuzzing: folders, files and command lines spoilt at random, and what a user gets of them.

`python -m tests.fuzz --target=wfdb --seconds=600 --seed=0 --out=results/fuzzing-wfdb.json`. A target is a file here.
"""
