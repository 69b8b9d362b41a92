"""The tests' options of XLA: one that the installed jaxlib does not know is left out, and the report says so."""

import os

import pytest

from tests import xla_options

KNOWN = "--xla_backend_optimization_level=0"
UNKNOWN = "--xla_an_option_that_no_version_has=true"


@pytest.fixture
def fresh_environment(monkeypatch):
    ours = ("XLA_FLAGS", xla_options.UNKNOWN)
    monkeypatch.setattr(os, "environ", {name: value for name, value in os.environ.items() if name not in ours})


def test_an_option_that_xla_does_not_know_is_left_out_and_named(fresh_environment):
    xla_options.set_options((KNOWN, UNKNOWN))
    assert os.environ["XLA_FLAGS"] == KNOWN
    assert UNKNOWN in xla_options.remark() and "\n" not in xla_options.remark()


def test_options_that_are_all_known_need_no_remark(fresh_environment):
    xla_options.set_options((KNOWN,))
    assert os.environ["XLA_FLAGS"] == KNOWN
    assert xla_options.remark() == ""


def test_a_users_own_flags_stay(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "")
    xla_options.set_options((KNOWN,))
    assert os.environ["XLA_FLAGS"] == ""
