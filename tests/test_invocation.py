"""Messages name commands as the user can start them: from a checkout, or by the installed program."""

import importlib
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from cgdmer_jax import cli, invocation
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.invocation import as_started, by_program, module_words
from cgdmer_jax.provenance import command_line

ROOT = Path(__file__).parents[1]
EXAMPLE = "python -m experiments.pretrain --config=configs/cgdmer.py:nano --workdir=runs/a"


@pytest.fixture
def as_program(monkeypatch):
    """As after `cgdmer pretrain --workdir=/home/me/runs/a`."""
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/cgdmer", "pretrain", "--workdir=/home/me/runs/a"])


def started_as_module(monkeypatch, name: str) -> None:
    monkeypatch.setitem(sys.modules, "__main__", SimpleNamespace(__spec__=SimpleNamespace(name=name)))
    monkeypatch.setattr(sys, "argv", ["/x/__main__.py", "embed"])


@pytest.mark.parametrize(
    ("name", "known"),
    [("cgdmer_jax.__main__", True), ("experiments.embed", False), ("cgdmer_jaxen", False), ("pytest.__main__", False)],
)
def test_the_program_is_known_by_its_module(monkeypatch, name, known):
    started_as_module(monkeypatch, name)
    assert by_program() == known


def test_the_recorded_command_line_is_the_programs_and_tells_no_folder(as_program):
    assert by_program() and command_line() == "cgdmer pretrain --workdir=.../a"


def test_in_a_checkout_a_text_stays_as_it_is():
    assert as_started(EXAMPLE) == EXAMPLE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (EXAMPLE, "cgdmer pretrain --config=cgdmer:nano --workdir=runs/a"),
        ("run experiments.diagnose again", "run cgdmer diagnose again"),
        ("--grid=configs/ablations/cgdmer.py --store=a", "--grid=ablations/cgdmer --store=a"),
        # What is no command and no config of the package is a user's own.
        ("no file runs/experiments.embed/a, experiments.mine", "no file runs/experiments.embed/a, experiments.mine"),
        ("--config=configs/own.py:big", "--config=configs/own.py:big"),
    ],
)
def test_of_the_program_commands_and_shipped_configs_are_named_as_it_takes_them(as_program, text, expected):
    assert as_started(text) == expected


def test_in_a_notebook_with_an_installed_package_an_error_names_the_program(tmp_path, monkeypatch):
    error = CgdmerError("run experiments.pretrain first")
    assert str(error) == "run experiments.pretrain first"
    monkeypatch.setattr(invocation, "CHECKOUT", tmp_path)  # as site-packages, without experiments/
    assert str(error) == "run cgdmer pretrain first"


@pytest.mark.parametrize("name", cli.command_names())
def test_the_help_of_every_command_of_the_program_names_no_module(as_program, name, capsys):
    with pytest.raises(SystemExit) as end:
        importlib.import_module(f"cgdmer_jax.commands.{name}").main(["--help"])
    shown = capsys.readouterr().out
    assert end.value.code == 0 and f"usage: cgdmer {name} " in shown and f"  cgdmer {name} --" in shown
    assert "experiments." not in shown and "configs/" not in shown.split("example:")[1]


def test_a_command_starts_another_of_the_package_whatever_the_folder_holds(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments/pretrain.py").write_text("raise SystemExit('a file of somebody else')")
    words = [sys.executable, *module_words("pretrain"), "--help"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "usage: cgdmer pretrain" in done.stdout


def test_under_a_debugger_an_error_still_has_its_sentence(monkeypatch):
    """pdb runs a program in a module that has no __spec__."""
    monkeypatch.setitem(sys.modules, "__main__", SimpleNamespace())
    monkeypatch.setattr(sys, "argv", [])
    assert str(CgdmerError("what, where, what to do")) == "what, where, what to do"
