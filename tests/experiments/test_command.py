"""What a user reads: help with an example, one sentence on a mistake."""

import subprocess
import sys
from pathlib import Path

import pytest

from cgdmer_jax.errors import CgdmerError
from configs.cgdmer import SIZES
from experiments.command import load_config

ROOT = Path(__file__).parents[2]
COMMANDS = sorted(p.stem for p in (ROOT / "experiments").glob("*.py") if "__main__" in p.read_text())
NANO = "configs/cgdmer.py:nano"


@pytest.fixture(autouse=True)
def in_the_checkout(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_every_command_shows_an_example(name):
    done = subprocess.run(
        [sys.executable, "-m", f"experiments.{name}", "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert f"python -m experiments.{name}" in done.stdout.split("xample", 1)[1]


def test_a_field_is_overridden_with_its_type():
    config = load_config(NANO, ["--config.optimizer.learning_rate=3e-4", "--config.data.stores=a"])
    assert config.optimizer.learning_rate == 3e-4 and tuple(config.data.stores) == ("a",)


@pytest.mark.parametrize(
    ("spec", "words", "sentence"),
    [
        (NANO, ["--config.optimizer.learning_rat=1"], 'Did you mean "optimizer.learning_rate"'),
        (NANO, ["--config.learning_rate=1"], 'Did you mean "optimizer.learning_rate"'),
        (NANO, ["--config.optimizer.steps=many"], "steps"),
        (NANO, ["--confg.optimizer.steps=1"], "is not known"),
        ("configs/none.py", [], "there is no file"),
        ("configs/cgdmer.py:huge", [], "quickstart, nano, tiny, small, base"),
    ],
)
def test_a_mistake_gets_one_line_with_the_way_out(spec, words, sentence):
    with pytest.raises(CgdmerError, match=sentence) as caught:
        load_config(spec, words)
    assert "\n" not in str(caught.value)


def test_a_wrong_store_is_one_sentence_and_exit_code_1(tmp_path):
    words = [
        "-m",
        "experiments.pretrain",
        f"--config={NANO}",
        f"--workdir={tmp_path / 'r'}",
        "--config.data.stores=nowhere",
    ]
    done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("error: ") and "nowhere" in done.stderr
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("size", SIZES)
def test_every_size_has_the_fields_of_the_method(size):
    from cgdmer_jax.methods.cgdmer import CgDmerConfig
    from experiments.build import from_fields

    config = load_config(f"configs/cgdmer.py:{size}", [])
    assert from_fields(CgDmerConfig, config.method.to_dict()).ecg.width == config.method.ecg.width
