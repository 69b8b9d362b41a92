"""The fuzzing runs: a few tries of every target come to no fault, and what it counts is what there was."""

import json
import random

import pytest

from tests.fuzz import __main__ as fuzz
from tests.fuzz.spoil_bytes import BYTES, TEXT
from tests.fuzz.spoil_folder import read_tree, spoil, write_tree
from tests.fuzz.target import CHANGED, FAULT, HARMLESS, NAMED, unfit_sentence
from tests.fuzz.toy import KINDS
from tests.fuzz.worker import Job, Peak, target_of, tries, watched

N_TRIES = 3
EVER = 3600.0  # seconds: no try is too slow on a busy machine
NEED_TORCH = ("torch_file",)


@pytest.mark.parametrize("name", fuzz.TARGETS)
@pytest.mark.filterwarnings("ignore")  # torch's own
def test_a_few_tries_of_every_target_come_to_no_fault(name, tmp_path, monkeypatch):
    if name in NEED_TORCH:
        pytest.importorskip("torch", reason="a torch file is written and read with torch (the extra `torch`)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))  # of which the command lines have their own
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    target = target_of(name)
    target.prepare(tmp_path / "scratch")
    found = list(tries(Job(name, 0, 3.0, n=N_TRIES, seconds_a_try=EVER), target))
    assert [one.number for one in found] == list(range(N_TRIES)) and all(one.mutation for one in found)
    assert not [one for one in found if one.outcome == FAULT]


@pytest.fixture(scope="module")
def toys():
    """Tries in watched workers, by what happens in them; with this seed the first ones are of each kind once."""
    job = Job("toy", 855, memory_gib=1.0, n=len(KINDS), seconds_a_try=3.0, grace_s=3.0)
    found = [one for one in watched(job, EVER) if not isinstance(one, Peak)]
    assert [one.number for one in found] == list(range(len(KINDS))), "each once and in order, after a crash too"
    return {one.mutation: one for one in found}


@pytest.mark.parametrize(
    ("kind", "outcome", "told"),
    [
        ("refused", NAMED, "a is odd; correct it"),
        ("warned", NAMED, "a was edited"),
        ("whole", HARMLESS, ""),
        ("changed", CHANGED, ""),
        ("without words", FAULT, "an empty sentence"),
        ("overflow", FAULT, "RuntimeWarning: overflow"),
        ("programming mistake", FAULT, "TypeError"),
        ("hang", FAULT, "not done after 3 s"),
        ("deaf", FAULT, "deaf for 6 s"),
        ("dead", FAULT, "the process died (-9)"),
        ("large", FAULT, "MemoryError"),
    ],
)
def test_every_outcome_is_told_from_the_others(toys, kind, outcome, told):
    assert toys.keys() == KINDS.keys()
    assert (toys[kind].outcome, toys[kind].fields) == (outcome, ("b",) if kind == "changed" else ())
    assert toys[kind].told.startswith(told)


def test_the_counts_are_those_of_the_tries_and_a_fault_can_be_made_again(toys, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(fuzz, "watched", lambda job, seconds: iter(toys.values()))
    assert fuzz.main(["--target=wfdb", f"--out={tmp_path / 'counts.json'}"]) == 1
    (row,) = json.loads((tmp_path / "counts.json").read_text())["rows"]
    assert (row["tries"], row[NAMED], row[HARMLESS], row[CHANGED], row[FAULT]) == (11, 2, 1, 1, 7)
    assert row["changed_fields"] == {"b": 1}
    (mistake,) = (one["told"] for one in row["faults"] if one["mutation"] == "programming mistake")
    assert mistake.startswith("TypeError: no such field in folder/a.json"), "no folder of the machine"
    assert f"--target=wfdb --seed=0 --only={toys['dead'].number}" in capsys.readouterr().out


def test_the_same_number_is_the_same_mutation_and_others_are_others(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/a.json").write_text('{"a": [1, 2.5, {"b": "text"}], "c": null}')
    (tmp_path / "folder/b.csv").write_text("x,y\n1,2\n3,4\n")
    (tmp_path / "folder/c.bin").write_bytes(bytes(range(256)))
    tree = read_tree(tmp_path / "folder")
    told = []
    for number in (*range(200), *range(200)):
        spoilt = dict(tree)
        what, names = spoil(spoilt, random.Random(f"toy 0 {number}"), (), ())
        write_tree(spoilt, tmp_path / "folder")
        told.append((what, sorted(names), {name: repr(content) for name, content in spoilt.items()}))
    assert told[:200] == told[200:]
    assert len({what for what, _, _ in told[:200]}) > 150


@pytest.mark.parametrize("mutator", list(dict.fromkeys([*BYTES, *TEXT])), ids=lambda mutator: mutator.__name__)
def test_every_mutation_changes_most_contents(mutator):
    contents = (b"r1 2 100 50\nr1.dat 16 200(5)/mV 16 0 7 11 0 I\n", b"id,age\n1,56.0\n2,61.0\n")
    found = [(content, mutator(content, random.Random(number))) for content in contents for number in range(50)]
    changed = [content for content, spoilt in found if spoilt and spoilt[1] != content]
    assert len(changed) > 20


@pytest.mark.parametrize(
    ("sentence", "fault"),
    [
        ("a is odd; correct it", ""),
        ("tensors differ\n  missing a [3]\n  extra b [4]", ""),
        ("", "an empty sentence"),
        ("one\ntwo", "several lines"),
        ("x " * 2000, "a line of 4,000 characters"),
        ('Traceback (most recent call last): "x"', "a traceback"),
    ],
)
def test_a_sentence_that_nobody_can_read_is_a_fault(sentence, fault):
    found = unfit_sentence(sentence)
    assert found.startswith(fault) and bool(found) == bool(fault)
