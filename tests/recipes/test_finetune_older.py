"""Runs of fine-tuning from before some of its fields: they open, go on, and mean what they meant."""

import dataclasses

import pytest

from cgdmer_jax.fields import YOUNGER as IS_YOUNGER
from cgdmer_jax.fields import from_fields
from cgdmer_jax.methods.finetune.config import FinetuneConfig
from cgdmer_jax.training.run_folder import YOUNGER_IN_FINETUNING, check_config
from tests.methods.finetune_small import config_of


def older(**fields):
    """A config as stored before there were the younger fields."""
    values = dataclasses.asdict(config_of(**fields))
    return {name: value for name, value in values.items() if f"method.{name}" not in YOUNGER_IN_FINETUNING}


def test_every_younger_field_has_the_value_of_then_where_runs_go_on_and_where_they_are_read():
    fields = [field for field in dataclasses.fields(FinetuneConfig) if field.metadata[IS_YOUNGER]]
    assert {f"method.{field.name}": field.default for field in fields} == YOUNGER_IN_FINETUNING


@pytest.mark.parametrize(("multiplier", "trained"), [(0.3, -1), (0.0, 0)])
def test_an_older_config_is_read_as_what_it_meant_and_its_run_goes_on(multiplier, trained, tmp_path):
    found = from_fields(FinetuneConfig, older(encoder_lr_multiplier=multiplier))
    assert found == config_of(encoder_lr_multiplier=multiplier) and found.trained == trained
    now = dataclasses.asdict(config_of(encoder_lr_multiplier=multiplier))
    check_config({"method": older(encoder_lr_multiplier=multiplier)}, {"method": now}, (), tmp_path)
