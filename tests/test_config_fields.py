"""Each config field has a default of its own type and a meaning; page, help and config files agree with them."""

import dataclasses
import json
import math
import typing
from pathlib import Path

import pytest

from cgdmer_jax.cli import run
from cgdmer_jax.commands import adapt_text, import_merl, pretrain
from cgdmer_jax.config import defaults, flat, load_config
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.fields import MEANING, Checked, values_of
from cgdmer_jax.methods import METHODS
from cgdmer_jax.recipes import pretrain as pretrain_recipe
from cgdmer_jax.recipes.config_fields import ASKED, Config, check_fields, check_stored, fields_of, groups
from cgdmer_jax.recipes.trained_run import load_run
from configs import cgdmer, cmelt, kmerl, masked_text, merl
from tests.test_configs import TEXT_ALONE, specs
from tests.test_contract import CONTRACT
from tests.write_config_fields import PAGE, nested, page

ROOT = Path(__file__).parents[1]
NANO = "configs/cgdmer.py:nano"


def with_nested(kind: type) -> set[type]:
    hints = typing.get_type_hints(kind).values()
    return {kind}.union(*(with_nested(one) for hint in hints for one in nested(hint)))


KINDS = sorted(
    set().union(*(with_nested(kind) for name in METHODS for kind in (Config, *groups(name).values()))),
    key=lambda kind: kind.__name__,
)
FIELDS = [(kind, field) for kind in KINDS for field in dataclasses.fields(kind)]


@pytest.fixture(autouse=True)
def in_the_checkout(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize(("kind", "field"), FIELDS, ids=[f"{kind.__name__}.{field.name}" for kind, field in FIELDS])
def test_a_field_has_a_meaning_of_one_line_and_a_default_of_its_own_type(kind, field):
    meaning = field.metadata[MEANING]
    assert 10 < len(meaning) <= 120 and "\n" not in meaning and meaning == meaning.strip(" .")
    hint = typing.get_type_hints(kind)[field.name]
    value = field.default_factory() if field.default is dataclasses.MISSING else field.default
    allowed = typing.get_args(hint) if nested(hint) and typing.get_args(hint) else (typing.get_origin(hint) or hint,)
    assert type(value) in allowed


@pytest.mark.parametrize("kind", KINDS)
def test_every_class_of_a_config_checks_itself_and_every_number_in_it_has_a_least_value(kind):
    assert issubclass(kind, Checked)
    for field in dataclasses.fields(kind):
        hint, values = typing.get_type_hints(kind)[field.name], values_of(field)
        if hint in (int, float):
            assert values.least is not None or values.above is not None, field.name
        if hint is int:  # what is allocated by it, or counted in int32, has an end
            assert values.most is not None, field.name


REFUSED = [  # --config.FIELD=VALUE, what stands behind "config.FIELD is VALUE"
    ("method.stem", "convolution", '"convolution". Did you mean "conv"?'),
    ("method.unroll", 0, "0; give a whole number from 1 to 1,024"),
    ("method.ecg.width", 10**9, "1000000000; give a whole number from 1 to 65,536"),
    ("method.second.depth", -1, "-1; give a whole number from 1 to 1,024"),
    ("method.temperature", 0.0, "0.0; give a number above 0"),
    ("method.temperature", math.nan, "nan; give a number above 0"),
    ("method.patch_seconds", math.inf, "inf; give a number above 0"),
    ("method.weight_align", -1.0, "-1.0; give a number of at least 0"),
    ("method.mask_ratio", 1.0, "1.0; give a number above 0, below 1"),
    ("method.same_text", "negatives", '"negatives". Did you mean "positives"?'),
    ("data.batch_size", 0, "0; give a whole number from 1 to 1,048,576"),
    ("data.max_tokens", 10**12, "1000000000000; give a whole number from 1 to 1,048,576"),
    ("optimizer.clip_norm", 0.0, "0.0; give a number above 0"),
    ("optimizer.beta2", 1.0, "1.0; give a number from 0, below 1"),
    (
        "optimizer.rate_factors",
        (("a", -1.0),),
        "(('a', -1.0),); give a list, each entry a list of 2: a text, a number of",
    ),
    ("run.log_every", 0, "0; give a whole number from 1 to 2,147,483,647"),
    ("run.mesh", (1,), "(1,); give a list of 2: a whole number from 0 to 1,048,576, a whole"),
    ("run.mirrors", ("tensorbord",), "('tensorbord',); give a list, each entry `tensorboard` or `wandb`"),
    ("seed", 2**32, "4294967296; give a whole number from -2,147,483,648 to 4,294,967,295"),
]


@pytest.mark.parametrize(("name", "value", "told"), REFUSED, ids=[f"{name}={value}" for name, value, _ in REFUSED])
def test_a_value_that_a_field_cannot_have_is_refused_before_any_data_is_opened(name, value, told):
    config = load_config(NANO, [])
    with config.unlocked():
        config.update_from_flattened_dict({name: value})
        config.data.stores = ("no/such/store",)
    with pytest.raises(CgdmerError) as caught:
        pretrain_recipe.pretrain(config, Path("no/such/run"))
    assert str(caught.value).startswith(f"config.{name} is {told}")


def test_fields_that_do_not_go_together_are_refused_before_any_data_is_opened():
    config = load_config(NANO, ["--config.method.second.heads=3", "--config.data.stores=no/such/store"])
    with pytest.raises(CgdmerError, match=r"^config\.method\.second has 3 heads, which do not divide its width 128;"):
        pretrain_recipe.pretrain(config, Path("no/such/run"))


@pytest.mark.parametrize("value", [5, None, ["cgdmer"], {"cgdmer": 1}], ids=str)
def test_a_method_name_that_is_no_text_is_refused(value):
    config = load_config(NANO, [])
    with config.unlocked(), config.ignore_type():
        config.method_name = value
    with pytest.raises(CgdmerError, match=r"^config\.method_name is .*; give a text$"):
        check_fields(config)


def test_an_unknown_method_of_a_run_is_told_with_its_file(tmp_path):
    with pytest.raises(CgdmerError, match=r'^.*config\.json: method_name is "cgdmerr"\. Did you mean "cgdmer"\?$'):
        check_stored(load_config(NANO, []).to_dict() | {"method_name": "cgdmerr"}, tmp_path / "config.json")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("method.text_architecture", r"\(.*a\.b.*\)"),
        ("optimizer", r"\(.*a\.b.*\)"),
        ("", r"no field a\.b"),
    ],
)
def test_a_name_that_no_field_can_have_in_a_run_is_refused(tmp_path, name, words):
    stored = load_config(NANO, []).to_dict()
    group = stored
    for part in name.split(".") if name else ():
        group = group[part]
    group["a.b"] = 1
    (tmp_path / "config.json").write_text(json.dumps(stored))
    (tmp_path / "input.json").write_text(CONTRACT.to_json())
    with pytest.raises(CgdmerError, match=rf"config\.json has .*{words}.*; restore it from a backup"):
        load_run(tmp_path, None)


@pytest.mark.parametrize("spec", [*specs(), TEXT_ALONE])
def test_every_field_of_a_shipped_config_has_a_meaning_and_its_value(spec):
    config = load_config(spec, [])
    listed = {field.name: field for field in fields_of(config)}
    assert all(
        listed[name].value == (tuple(value) if isinstance(value, list) else value)
        for name, value in flat(config.to_dict()).items()
    )
    assert not [field.name for field in listed.values() if field.meaning == "no such field is known"]


@pytest.mark.parametrize("spec", [*specs(), TEXT_ALONE])
def test_a_shipped_config_has_every_field_that_its_method_needs(spec):
    check_fields(load_config(spec, []))


@pytest.mark.parametrize("name", ["seed", "method_name", "data", "data.batch_size", "run.mesh", "optimizer.steps"])
def test_a_config_without_a_field_is_refused_by_the_name_of_that_field(name):
    config = load_config(NANO, [])
    group, _, field = name.rpartition(".")
    with config.unlocked():
        del (config[group] if group else config)[field]
    with pytest.raises(CgdmerError, match=rf"^config.*\b{field}\b.*is missing"):
        check_fields(config)


def test_a_config_older_than_a_field_goes_on_without_it():
    config = load_config(NANO, [])
    with config.unlocked():
        del config.data.min_patients
    check_fields(config)


@pytest.mark.parametrize("module", [cgdmer, cmelt, kmerl, merl, masked_text], ids=lambda module: module.__name__)
def test_a_config_file_states_only_what_it_changes(module):
    kinds = groups(module.get_config().method_name)
    stated = {
        name.lower(): getattr(module, name) for name in ("METHOD", "DATA", "OPTIMIZER", "RUN") if name in dir(module)
    }
    assert stated
    for group, values in stated.items():
        own = defaults(kinds[group])
        assert not [name for name, value in values.items() if value == own[name]]


def test_the_page_is_current():
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.write_config_fields"


def told(capsys, main, words: list[str]) -> list[str]:
    with pytest.raises(SystemExit) as end:
        run(main, words)
    assert end.value.code == 0
    return capsys.readouterr().out.splitlines()


def test_the_help_of_a_config_needs_no_store_and_shows_values_as_given(capsys):
    lines = told(capsys, pretrain.main, [f"--config={NANO}", ASKED, "--config.optimizer.steps=7"])
    assert [line.split("=")[0] for line in lines] == [
        f"--config.{field.name}" for field in fields_of(load_config(NANO, []))
    ]
    (steps,) = [line for line in lines if line.startswith("--config.optimizer.steps=")]
    assert steps.split(maxsplit=1) == ["--config.optimizer.steps=7", "optimiser steps in all (from 1 to 2,147,483,647)"]


def test_each_command_that_takes_a_config_has_its_help(capsys):
    merl_lines = told(capsys, import_merl.main, ["--config=configs/merl.py:vit_tiny", ASKED])
    assert any(line.startswith("--config.method.ecg.patch_seconds=0.1 ") for line in merl_lines)
    text_lines = told(capsys, adapt_text.main, [ASKED])
    assert any(line.startswith("--config.data.reports= ") for line in text_lines)


def test_the_help_of_no_config_asks_for_one(capsys):
    with pytest.raises(SystemExit) as end:
        run(pretrain.main, [ASKED])
    assert end.value.code == 1 and "--config=FILE:SIZE" in capsys.readouterr().err


def test_a_field_that_no_dataclass_has_is_listed_as_unknown():
    config = load_config(NANO, [])
    with config.unlocked():
        config.data.shards = 3
    (odd,) = [field for field in fields_of(config) if field.name == "data.shards"]
    assert (odd.value, odd.meaning) == (3, "no such field is known")
