"""No flipped bit of a folder passes unnoticed or ends in a traceback; the program that counts them sees both."""

from collections import Counter

import pytest

from cgdmer_jax.errors import CgdmerError
from tests.flip_bits import HARMLESS, KINDS, MADE_AGAIN, NAMED, TRACEBACK, UNNOTICED, Kind, flips, main

N_FLIPS = 16


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_flipped_bit_is_named_harmless_or_made_again(kind):
    found = list(flips(kind, N_FLIPS, seed=1))
    assert len(found) == N_FLIPS
    assert not [flip for flip in found if flip.outcome not in (NAMED, HARMLESS, MADE_AGAIN)]


def make(folder):
    folder.mkdir()
    (folder / "numbers").write_bytes(bytes(8))
    (folder / "empty").write_bytes(b"")


def content(folder):
    return (folder / "numbers").read_bytes()


def sum_of_bits(folder):
    total = sum(content(folder))
    if total > 100:
        raise CgdmerError("the numbers are too large; write them again")
    return {1: "one", 0: "none", 2: "none"}[total]


def test_each_outcome_is_told_from_the_others():
    outcomes = Counter(flip.outcome for flip in flips(Kind("numbers", make, sum_of_bits), 60, seed=0))
    assert outcomes.keys() == {NAMED, HARMLESS, UNNOTICED, TRACEBACK}  # bit 7; bit 1; bit 0; the others
    assert {flip.outcome for flip in flips(Kind("numbers", make, content), 5, seed=0)} == {UNNOTICED}


def test_the_same_seed_flips_the_same_bits():
    one, again, other = (list(flips(Kind("numbers", make, content), 9, seed)) for seed in (0, 0, 1))
    assert one == again != other


def test_the_program_counts_by_kind_and_fails_on_what_passed_unnoticed(tmp_path, monkeypatch, capsys):
    kinds = (Kind("good", make, lambda folder: 1), Kind("bad", make, content))
    monkeypatch.setattr("tests.flip_bits.KINDS", kinds)
    assert main(["--flips=7", f"--out={tmp_path / 'counts.json'}"]) == 1
    assert "folder bad, flips 4, named 0, harmless 0, made again 0, unnoticed 4, traceback 0" in capsys.readouterr().out
