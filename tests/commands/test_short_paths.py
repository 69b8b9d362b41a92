"""A path that tells where somebody's files lie is cut to its last part; other words stay as they are."""

import sys
from pathlib import Path

import pytest

from cgdmer_jax.provenance import command_line
from cgdmer_jax.short_paths import short, short_fields, short_words
from tests.small_runs import ROOT


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("--run=/home/me/runs/a", "--run=.../a"),
        ("--run=/home/Ada Lovelace/O'Neil/a", "--run=.../a"),
        ("--run=~ada/a", "--run=.../a"),
        ("--out=../../home/ada/a.json", "--out=.../a.json"),
        ("/home/me/tools/own.py", ".../own.py"),
        ("--store=/data/a,/data/b/", "--store=.../a,.../b"),
        ("--store=file:///home/me/stores/a,gs://bucket/b", "--store=.../a,gs://bucket/b"),
        ("--text=minilm=/home/me/minilm", "--text=minilm=.../minilm"),
        ("--config.data.stores=('/home/me/a','stores/b')", "--config.data.stores=('.../a','stores/b')"),
        ("--store=stores/ptbxl100", "--store=stores/ptbxl100"),
        ("--text=sentence-transformers/all-MiniLM-L6-v2", "--text=sentence-transformers/all-MiniLM-L6-v2"),
        ("--model=hf://owner/name@main", "--model=hf://owner/name@main"),
        ("--config.optimizer.learning_rate=1e-3", "--config.optimizer.learning_rate=1e-3"),
        ("--dry_run=16x4", "--dry_run=16x4"),
    ],
)
def test_a_word_keeps_its_meaning_and_loses_its_place(word, expected):
    assert short_words([word]) == [expected]


def test_the_fields_of_a_config_lose_theirs_in_lists_too():
    fields = {"data.stores": ("/home/me/a", "stores/b"), "method.text_tower": "/home/me/bert", "seed": 3}
    assert short_fields(fields) == {"data.stores": [".../a", "stores/b"], "method.text_tower": ".../bert", "seed": 3}
    assert short(short("/home/me/a")) == short("/home/me/a")


def test_a_recorded_command_line_has_lost_them(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "argv", ["x", f"--store={tmp_path}/s", "--split=test"])
    assert command_line().endswith("--store=.../s --split=test")


def test_no_published_result_tells_a_folder_of_the_machine_it_was_made_on():
    told = {
        file.name
        for file in (ROOT / "results").iterdir()
        for place in (b"/root/", b"/home/", b"/tmp/", b"/work/", b"/Users/", str(Path.home()).encode() + b"/")
        if place in file.read_bytes()
    }
    assert told == set()
