"""A config field whose name has changed: the old one works on the command line, in config files, in stored folders."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from cgdmer_jax.config import flat, load_config
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.interop.pretrained import load
from cgdmer_jax.methods import METHODS
from cgdmer_jax.recipes import pretrain as recipe
from cgdmer_jax.recipes.config_fields import groups
from cgdmer_jax.renamed_fields import OLD, RENAMED, renamed, tell
from cgdmer_jax.training.run_folder import RunFolder
from cgdmer_jax.waveform.conditioning import LEADS
from tests.data.small_stores import write_store
from tests.interop.small_model import reseal, write_small_model
from tests.sealed_files import rewrite
from tests.toy_runs import make_toy, toy_config

ROOT = Path(__file__).parents[1]
NANO = "configs/cgdmer.py:nano"
OTHER = {  # of nano's fields, values that it has not
    "method.mask_ratio": 0.5,
    "method.align_mask_ratio": 0.25,
    "method.mlm_ratio": 0.3,
    "method.text_lr_multiplier": 0.2,
    "method.embed_dim": 64,
    "method.microbatches": 2,
}
# A user's own file, written when the names were the old ones.
OLD_FILE = """
from configs import cgdmer
from cgdmer_jax.renamed_fields import RENAMED

def get_config(name=""):
    config = cgdmer.get_config("nano")
    for old, new in RENAMED.items():
        del config.method[new.removeprefix("method.")]
    config.method.update(hide_ratio=0.7, language_ratio=0.15, text_rate=0.1, embedding=128, chunks=1)
    config.method.align_hide_ratio = config.method.get_oneway_ref("hide_ratio")
    return config
"""
# One that starts from a shipped config and changes it, as configs/quickstart.py does.
OLD_CHANGES = """
from configs import cgdmer

def get_config(name=""):
    config = cgdmer.get_config("nano")
    config.method.hide_ratio = 0.7
    return config
"""


@pytest.fixture(autouse=True)
def in_the_checkout(monkeypatch):
    monkeypatch.chdir(ROOT)
    tell.cache_clear()


def in_old_names(config: dict) -> dict:
    """A nested config as it was stored before."""
    return config | {
        "method": {OLD.get(f"method.{n}", n).removeprefix("method."): v for n, v in config["method"].items()}
    }


def test_each_new_name_is_a_field_and_no_old_one_is():
    known = {f"method.{field.name}" for name in METHODS for field in dataclasses.fields(groups(name)["method"])}
    assert set(RENAMED.values()) <= known and not known & RENAMED.keys()
    assert OTHER.keys() == set(RENAMED.values())


@pytest.mark.parametrize(("field", "value"), OTHER.items())
def test_an_old_name_on_the_command_line_sets_the_field_and_says_the_new_name_once(field, value, capsys):
    old = OLD[field]
    now = load_config(NANO, [f"--config.{field}={value}"])
    assert flat(now.to_dict())[field] == value and capsys.readouterr().out == ""
    for _ in range(2):
        assert load_config(NANO, [f"--config.{old}={value}"]).to_dict() == now.to_dict()
    assert capsys.readouterr().out == f"config.{old} is now config.{field}; the old name works in this version\n"


def test_a_value_of_the_wrong_type_under_an_old_name_is_refused():
    with pytest.raises(CgdmerError, match=r"method\.mask_ratio=much is of another type than the config's own 0\.75"):
        load_config(NANO, ["--config.method.hide_ratio=much"])


@pytest.mark.parametrize("text", [OLD_FILE, OLD_CHANGES], ids=["whole", "changes"])
@pytest.mark.parametrize(
    ("words", "ratios"),
    [
        ([], (0.7, 0.7)),
        (["method.hide_ratio=0.6"], (0.6, 0.6)),
        (["method.mask_ratio=0.6"], (0.6, 0.6)),
        (["method.mask_ratio=0.6", "method.align_mask_ratio=0.25"], (0.6, 0.25)),
        (["method.align_hide_ratio=0.25"], (0.7, 0.25)),
    ],
)
def test_a_config_file_with_old_names_is_the_config_with_the_new_ones(text, words, ratios, tmp_path, capsys):
    (tmp_path / "own.py").write_text(text)
    found = load_config(f"{tmp_path}/own.py", [f"--config.{word}" for word in words])
    expected = load_config(
        NANO, [f"--config.method.{n}={v}" for n, v in zip(("mask_ratio", "align_mask_ratio"), ratios, strict=True)]
    )
    assert found.to_dict() == expected.to_dict() and found.is_locked
    assert f"{tmp_path}/own.py: config.method.hide_ratio is now config.method.mask_ratio;" in capsys.readouterr().out


def test_an_allowed_field_may_have_its_old_name(monkeypatch, tmp_path, capsys):
    given = {}
    monkeypatch.setattr(recipe, "pretrain", lambda *_, **named: given.update(named) or 0)
    recipe.start(NANO, [], str(tmp_path), allow_changed=("method.chunks", "optimizer.steps"))
    assert given["allowed"] == ("method.microbatches", "optimizer.steps")
    assert "config.method.chunks is now config.method.microbatches" in capsys.readouterr().out


def test_a_stored_config_nested_or_flat_is_read_under_the_new_names_and_nothing_else_changes():
    now = load_config(NANO, []).to_dict()
    assert renamed(in_old_names(now), "") == now == renamed(now, "")
    flat_old = {OLD.get(name, name): value for name, value in flat(now).items()}
    assert set(flat_old) != set(flat(now)) and renamed(flat_old, "") == flat(now)


def test_a_stored_config_with_both_names_is_refused():
    for method in ({"hide_ratio": 0.5, "mask_ratio": 0.75}, {"mask_ratio": 0.75, "hide_ratio": 0.5}):
        with pytest.raises(CgdmerError, match=r"run/config\.json holds method\.hide_ratio beside method\.mask_ratio"):
            renamed({"method": method}, "run/config.json")


def test_a_model_folder_with_old_names_embeds_alike(tmp_path):
    folder = write_small_model(tmp_path / "model")
    signal = np.random.default_rng(0).normal(0, 0.3, (2, 12, 1000)).astype(np.float32)
    before = load(folder).embed(signal, 100, LEADS, "mV")
    fields = in_old_names(json.loads((folder / "config.json").read_text()))
    assert "hide_ratio" in fields["method"] and "mask_ratio" not in fields["method"]
    reseal(folder, method=fields["method"])
    np.testing.assert_array_equal(load(folder).embed(signal, 100, LEADS, "mV"), before)


@dataclass(frozen=True)
class Masked:
    """Config of a toy method that has a renamed field."""

    width: int
    scaling: str
    mask_ratio: float


def test_a_run_with_old_names_goes_on_and_still_refuses_another_value(tmp_path, monkeypatch):
    monkeypatch.setitem(METHODS, "toy", (make_toy, Masked))
    config = toy_config(write_store(tmp_path / "s", [f"report number {row}" for row in range(60)]))
    config.method.mask_ratio = 0.5
    run = RunFolder(tmp_path / "run")
    assert recipe.pretrain(config, run.path) == 0
    now = run.config()
    rewrite(run.path / "config.json", method=in_old_names(now)["method"])
    assert "hide_ratio" in (run.path / "config.json").read_text() and run.config() == now
    config.optimizer.steps = 8
    assert recipe.pretrain(config, run.path, allowed=("optimizer.steps",)) == 0
    assert [(one["first_step"], one["last_step"]) for one in run.starts()] == [(0, 6), (6, 8)]
    rewrite(run.path / "config.json", method=in_old_names(now)["method"])
    config.method.mask_ratio = 0.75
    with pytest.raises(CgdmerError, match=r"method\.mask_ratio: 0\.5 -> 0\.75"):
        recipe.pretrain(config, run.path)
