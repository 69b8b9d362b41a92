"""`cgdmer NAME`: lists its commands, runs the one that is named, and says in one sentence that there is none."""

import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

from cgdmer_jax import __version__, cli, early_stop
from tests.small_runs import ROOT

NAMES = sorted(file.stem for file in (ROOT / "cgdmer_jax/commands").glob("[a-z]*.py"))


@pytest.fixture(autouse=True)
def own_process(monkeypatch):
    """The program listens to signals and sets a variable from its first word on; other tests here see neither."""
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "2")
    before = {number: signal.getsignal(number) for number in early_stop.SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def start(monkeypatch, *words: str) -> int:
    """Runs the program; its exit code."""
    monkeypatch.setattr(sys, "argv", ["/bin/cgdmer", *words])
    with pytest.raises(SystemExit) as end:
        cli.main()
    return end.value.code


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",)])
def test_help_lists_every_command_with_its_summary_and_imports_none(monkeypatch, capsys, words):
    monkeypatch.setattr(cli, "run_command", lambda *_: pytest.fail("a command was run"))
    assert start(monkeypatch, *words) == 0
    usage, _, *lines = capsys.readouterr().out.splitlines()
    assert usage.startswith("usage: cgdmer COMMAND")
    assert [line.split()[0] for line in lines] == NAMES
    assert all(len(line.split()) > 3 and "experiments." not in line for line in lines)


@pytest.mark.parametrize(("name", "is_told"), [("numpy", True), ("cgdmer_jax.gone", False)])
def test_a_python_without_the_packages_is_told_and_a_mistake_of_our_own_is_not_called_that(
    monkeypatch, capsys, name, is_told
):
    def import_module(_: str):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(cli, "importlib", SimpleNamespace(import_module=import_module))
    with pytest.raises(SystemExit if is_told else ModuleNotFoundError):
        cli.run_command("embed", [])
    told = f"error: {sys.executable} has no package numpy, which this needs; start it with the Python that cgdmer_jax"
    assert capsys.readouterr().err.startswith(told) == is_told


def test_version_is_that_of_the_package(monkeypatch, capsys):
    assert start(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"cgdmer {__version__}\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--help"], b""),
        (["--a=1"], b"error: nothing reads the output any more (broken pipe); the same command continues from what"),
    ],
)
def test_a_reader_that_has_gone_ends_a_command_without_a_complaint_about_help(words, told):
    program = "from cgdmer_jax.cli import run; run(lambda _: print('line\\n' * 99), resumes=True)"
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-c", program, *words], cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, check=False
        )
    finally:
        os.close(writing)
    assert done.returncode == 141
    assert done.stderr.startswith(told) and done.stderr.count(b"\n") == bool(told)


def test_a_line_reaches_a_log_file_before_the_command_ends(tmp_path):
    program = "import os; from cgdmer_jax.cli import run; run(lambda _: print('1 record left out') or os._exit(0))"
    without = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with (tmp_path / "log").open("wb") as log:
        subprocess.run([sys.executable, "-c", program], cwd=ROOT, stdout=log, env=without, check=True)
    assert (tmp_path / "log").read_text() == "1 record left out\n"


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("pretrian", 'error: there is no command "pretrian". Did you mean "pretrain"? `cgdmer --help` lists them\n'),
        ("experiments.embed", 'there is no command "experiments.embed"'),
        ("../cli", 'there is no command "../cli"'),
        ("__init__", 'there is no command "__init__"'),
    ],
)
def test_a_wrong_command_is_one_sentence_and_exit_code_1(monkeypatch, capsys, word, sentence):
    assert start(monkeypatch, word, "--help") == 1
    printed = capsys.readouterr()
    assert sentence in printed.err and printed.err.count("\n") == 1 and not printed.out


def test_the_command_gets_the_words_after_its_name(monkeypatch):
    got = []
    modules = SimpleNamespace(import_module=lambda name: SimpleNamespace(main=lambda words: got.append((name, words))))
    monkeypatch.setattr(cli, "importlib", modules)
    monkeypatch.setattr(cli, "run", lambda main, words, *, resumes: (got.append(resumes), main(words)))
    monkeypatch.setattr(early_stop, "listen_in", lambda words: got.append(words))
    for name in ("convert", "export_model"):
        monkeypatch.setattr(sys, "argv", ["/bin/cgdmer", name, "--a=1", "--help"])
        cli.main()
    assert got == [
        ["experiments.convert"],
        True,
        ("cgdmer_jax.commands.convert", ["--a=1", "--help"]),
        ["experiments.export_model"],
        False,
        ("cgdmer_jax.commands.export_model", ["--a=1", "--help"]),
    ]


def test_a_mistake_in_an_argument_ends_with_the_help_of_the_program(monkeypatch, capsys):
    assert start(monkeypatch, "convert", "--sauce=ptbxl") == 1
    assert capsys.readouterr().err.endswith("; cgdmer convert --help shows all arguments and an example\n")
