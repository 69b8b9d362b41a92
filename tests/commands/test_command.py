"""Output that a user reads: help with an example, one sentence on a mistake."""

import importlib
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from cgdmer_jax import cli
from cgdmer_jax.cli import run
from cgdmer_jax.config import load_config
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.provenance import command_line
from cgdmer_jax.recipes.config_fields import check_fields
from configs.cgdmer import FROM_SCRATCH

ROOT = Path(__file__).parents[2]
COMMANDS = sorted(p.stem for p in (ROOT / "experiments").glob("*.py") if 'if __name__ == "__main__"' in p.read_text())
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


@pytest.mark.parametrize("name", ["compare_torch", "train_torch"])
def test_a_comparison_without_torch_says_how_to_install_it(name, tmp_path, monkeypatch):
    comparison = importlib.import_module(f"experiments.{name}")  # with SciPy, which trips over a torch that is None
    monkeypatch.setitem(sys.modules, "torch", None)
    for module in [module for module in sys.modules if module.startswith("baselines.torch_cgdmer")]:
        monkeypatch.delitem(sys.modules, module)
    words = {"compare_torch": [f"--config={NANO}"], "train_torch": [f"--run={tmp_path}", f"--workdir={tmp_path}"]}
    with pytest.raises(CgdmerError, match=r"needs PyTorch.*pip install"):
        comparison.main(words[name])


@pytest.mark.parametrize("field", ["data.stores", "data.leave_out", "run.mirrors"])
@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("/data/my stores/x", ("/data/my stores/x",)),
        ("stores/a,b", ("stores/a,b",)),
        ("2024", ("2024",)),
        ("None", ("None",)),
        ("x=1", ("x=1",)),
        ("", ()),
        ("('a','b c')", ("a", "b c")),
        ("['a']", ("a",)),
        ("'a b'", ("a b",)),
    ],
)
def test_one_string_is_a_list_of_one_name(field, text, names):
    config = load_config(NANO, [f"--config.{field}={text}"])
    group, _, name = field.partition(".")
    assert tuple(config[group][name]) == names


def test_one_string_in_a_file_or_from_python_is_a_list_of_one_name(tmp_path):
    file = tmp_path / "own.py"
    file.write_text(
        "from configs.cgdmer import get_config as whole\n\n\ndef get_config():\n    config = whole('nano')\n"
        "    with config.ignore_type():\n        config.data.stores = '/data/my stores/x'\n    return config\n"
    )
    config = check_fields(load_config(str(file), []))
    assert tuple(config.data.stores) == ("/data/my stores/x",)
    with_list = load_config(NANO, ["--config.data.stores=a"])
    assert check_fields(with_list) is with_list


def test_a_field_is_overridden_with_its_type():
    config = load_config(NANO, ["--config.optimizer.learning_rate=3e-4", "--config.data.stores=a"])
    assert config.optimizer.learning_rate == 3e-4 and tuple(config.data.stores) == ("a",)


@pytest.mark.parametrize(
    ("spec", "words", "sentence"),
    [
        (NANO, ["--config.optimizer.learning_rat=1"], 'Did you mean "optimizer.learning_rate"'),
        (NANO, ["--config.learning_rate=1"], 'Did you mean "optimizer.learning_rate"'),
        (NANO, ["--config.optimizer.lr=1"], 'Did you mean "optimizer.learning_rate"'),
        (NANO, ["--config.data.zzz=1"], r"Known: data\.batch_size, data\.leave_out"),
        (NANO, ["--config.optimizer.steps=many"], r"steps=many is of another type than .* own 3600 \(int\)"),
        (NANO, ["--config.optimizer.steps=1.5"], r"steps=1\.5 is of another type"),
        (
            NANO,
            ["--config.data.stores=(3,)"],
            r"data.stores=\(3,\) is read as \[3\] and is of another type than",
        ),
        (NANO, ["--config.optimizer.rate_factors=('a','b')"], "of another type than the config's own"),
        (NANO, ["--config.optimizer=3"], "no field optimizer"),
        (NANO, ["--config.optimizer.steps"], "given as --config.a.b=value"),
        (NANO, ["--confg.optimizer.steps=1"], "is not known"),
        ("configs/none.py", [], "there is no file"),
        ("configs/cgdmer.py:huge", [], "quickstart, nano, tiny, small, base"),
    ],
)
def test_a_mistake_gets_one_line_with_the_way_out(spec, words, sentence):
    with pytest.raises(CgdmerError, match=sentence) as caught:
        load_config(spec, words)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"a": false}', r"is no Python file that runs \(NameError: name 'false' is not defined\); correct the file"),
        ("import nowhere", r"is no Python file that runs \(ModuleNotFoundError: No module named 'nowhere'\)"),
        ("def get_config(:", "is no Python file that runs|invalid syntax"),
        ("def get_config(): return 1 / 0", r"is no Python file that runs \(ZeroDivisionError: division by zero\)"),
    ],
)
@pytest.mark.parametrize("name", ["own.py", "own.json"])
def test_a_config_file_that_is_no_program_is_told_in_one_sentence(tmp_path, name, content, words):
    (tmp_path / name).write_text(content)
    with pytest.raises(CgdmerError, match=words) as caught:
        load_config(str(tmp_path / name), [])
    assert "\n" not in str(caught.value)


def test_overrides_come_from_the_words_given_and_not_from_the_command_line(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["pytest", "--config.optimizer.steps=5"])
    assert load_config(NANO, []).optimizer.steps != 5
    assert load_config(NANO, ["--config.optimizer.steps=6"]).optimizer.steps == 6


def test_a_tuple_is_given_whole_and_a_whole_number_may_stand_for_a_share():
    words = ["--config.data.stores=('a','b')", "--config.optimizer.rate_factors=()", "--config.optimizer.clip_norm=2"]
    config = load_config(NANO, words)
    assert config.data.stores == ("a", "b") and config.optimizer.rate_factors == () and config.optimizer.clip_norm == 2


@pytest.mark.parametrize(
    ("spec", "argv", "expected"),
    [
        ("experiments.a", ["/x/experiments/a.py", "--workdir=a b"], "-m experiments.a '--workdir=a b'"),
        ("pytest.__main__", ["/x/pytest/__main__.py", "-q"], "-m pytest -q"),
        (None, ["tools/own.py", "1"], "tools/own.py 1"),
    ],
)
def test_the_command_line_is_that_of_the_process_whichever_module_asks(monkeypatch, spec, argv, expected):
    main = SimpleNamespace(__spec__=spec and SimpleNamespace(name=spec))
    monkeypatch.setitem(sys.modules, "__main__", main)
    monkeypatch.setattr(sys, "argv", argv)
    assert command_line() == f"python {expected}"


def test_a_module_that_calls_another_command_records_the_command_that_ran(tmp_path):
    """As the quickstart calls the evaluation: what is written must be what was typed."""
    source = "from cgdmer_jax.recipes import build\nprint(build.run_environment()['command'])\n"
    (tmp_path / "outer.py").write_text(source)
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
    words = ["-m", "outer", "--x=1"]
    done = subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "python -m outer --x=1\n"


def raising(error):
    def main(words):
        raise error

    return main


@pytest.mark.parametrize(
    ("main", "code", "words"),
    [
        (lambda words: None, 0, ""),
        (lambda words: 75, 75, ""),
        (raising(CgdmerError("what, where, what to do")), 1, "error: what, where, what to do\n"),
        (
            raising(OSError(28, "No space left on device", "runs/a")),
            1,
            "error: runs/a: No space left on device; after that is put right, the same command starts over",
        ),
        (
            raising(OSError(36, "File name too long", f"\x1b[2J/{'x' * 5000}")),
            1,
            rf"error: \x1b[2J/{'x' * 80}... (5,000 characters): File name too long; after that",
        ),
        (raising(KeyboardInterrupt()), 1, "error: interrupted; the same command starts over"),
    ],
)
def test_exit_codes_and_one_line_on_stderr(main, code, words, capsys):
    with pytest.raises(SystemExit) as caught:
        run(main)
    printed = capsys.readouterr()
    assert caught.value.code == code and printed.out == ""
    assert printed.err.startswith(words) and printed.err.count("\n") == (code == 1)


RESUMING = {"ablate", "adapt_text", "compare_training", "convert", "embed", "evaluate", "extract_entities"} | {
    *("compare", "delineate", "finetune", "fit", "predict", "pretrain", "quickstart"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_commands_that_keep_what_they_did_say_so_when_interrupted_and_no_others(name, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [name])
    program = importlib.import_module(f"experiments.{name}")
    module = importlib.import_module(f"cgdmer_jax.commands.{name}") if name in cli.command_names() else program
    monkeypatch.setattr(module, "main", raising(KeyboardInterrupt()))
    source = Path(program.__file__).read_text()
    call = source[source.index('if __name__ == "__main__"') :].splitlines()[1]  # what this command ends with
    with pytest.raises(SystemExit):
        exec(call.strip(), vars(program))
    goes_on = "continues from what was saved" in capsys.readouterr().err
    assert goes_on == (name in RESUMING)


def test_a_wrong_argument_is_one_sentence_and_exit_code_1(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["x"])
    with pytest.raises(SystemExit) as caught:
        run(lambda words: cli.parser("doc", "python -m experiments.x --a=1").parse_args(["--b=2"]))
    printed = capsys.readouterr().err
    assert caught.value.code == 1
    assert printed == (
        "error: unrecognized arguments: --b=2; python -m experiments.x --help shows all arguments and an example\n"
    )


def test_the_home_folder_stands_for_itself_in_a_config_field(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert load_config(NANO, ["--config.data.stores=~/a"]).data.stores == ("/home/me/a",)
    assert load_config(NANO, ["--config.data.stores=('~/a','b~/c')"]).data.stores == ("/home/me/a", "b~/c")


def test_a_programming_mistake_keeps_its_traceback():
    with pytest.raises(KeyError):
        run(raising(KeyError("x")))


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


@pytest.mark.parametrize("size", FROM_SCRATCH)  # the others: tests/test_configs.py
def test_every_size_has_the_fields_of_the_method(size):
    from cgdmer_jax.config import from_fields
    from cgdmer_jax.methods.cgdmer.method import CgDmerConfig

    config = load_config(f"configs/cgdmer.py:{size}", [])
    assert from_fields(CgDmerConfig, config.method.to_dict()).ecg.width == config.method.ecg.width


def test_an_empty_tuple_takes_names_and_nothing_else():
    assert load_config("configs/cgdmer.py:nano", ["--config.data.leave_out=('lead_flagged',)"]).data.leave_out == (
        "lead_flagged",
    )
    with pytest.raises(CgdmerError, match="of another type"):
        load_config("configs/cgdmer.py:nano", ["--config.data.leave_out=(3,)"])


def test_a_file_name_that_is_no_text_is_printed_with_escapes_and_ends_nothing(capsys):
    with pytest.raises(SystemExit) as end:
        run(lambda words: print("caf\udce9: left out"))
    assert end.value.code == 0 and capsys.readouterr().out == "caf\\udce9: left out\n"
