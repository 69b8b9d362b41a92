"""Command lines: every command with right arguments, then with misspelt, missing, repeated and odd ones.

Whatever would start real work is stood in for by `Started`; nothing trains and nothing is asked of a network.
"""

import contextlib
import importlib
import io
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from unittest import mock

import jax

from cgdmer_jax import cli
from cgdmer_jax.errors import CgdmerError
from tests.data.merl_tables import write_tables
from tests.data.small_stores import write_store
from tests.flipped_runs import EVALUATED, REPORTS, make_run
from tests.fuzz.spoil_bytes import ODD_CHARACTERS, ODD_NUMBERS
from tests.fuzz.spoil_folder import Odd, Tree, read_tree, write_tree
from tests.fuzz.target import Values, quiet
from tests.interop.bert_folder import write_bert
from tests.interop.small_model import write_small_model
from tests.toy_runs import toy_known

NANO = "--config=configs/cgdmer.py:nano"
MERL = "--config=configs/merl.py:small"
SCORED = ("--random_seeds=1", "--case=r1", "--protocol=clean", "--checkpoint=6")
SMALL = (
    *("--config.data.batch_size=4", "--config.data.min_patients=1", "--config.optimizer.learning_rate=1e-3"),
    *("--allow_changed=optimizer.steps", "--config.method.masking=random"),
)
WORDS = {
    "ablate": ["--grid=grid.py", "--store=store", "--dry_run", "--only=a", "--workdir=out/w", "--out=out/r"],
    "adapt_text": ["--text=bert", "--store=store", "--workdir=out/run", "--out=out/t", "--config.optimizer.steps=3"],
    "convert": ["--source=synthetic", "--out=out/store", "--rate=100", "--records=3", "--seed=1", "--processes=1"],
    "diagnose": ["--run=run", "--store=store", "--split=validation", "--checkpoint=6"],
    "differences": ["--results", f"run/{EVALUATED}", "--to", "probe/hand36/hand36", "--out=out/d.json"],
    "embed": ["--model=model", "--records=records", "--out=out/e.npz", "--feature=main", "--windows=all"],
    "encode_texts": ["--store=store", "--text=bert", "--pooling=mean", "--max_tokens=8"],
    "evaluate": [
        *("--run=run", "--store=store", "--split=validation", "--features=main", "--kernels=9", "--parts=probe"),
        *SCORED,
    ],
    "export_model": ["--run=run", "--out=out/model", "--checkpoint=6", "--patient_key=key"],
    "finetune": [
        "--run=run",
        "--store=store",
        "--task=findings",
        "--split=test",
        "--workdir=out/run",
        "--init=scratch",
    ],
    "import_merl": ["--weights=weights.pth", MERL, "--store=store", "--out=out/run", "--config.method.text_tower=bert"],
    "merl_tables": ["--tables=merl", "--out=out/counts.json"],
    "pretrain": [NANO, "--workdir=out/run", "--config.data.stores=store", *SMALL, "--init_from=run"],
    "probe_texts": ["--store=store", "--text=a=bert", "--run=b=run", "--max_tokens=8", "--out=out/p.json"],
    "publish": ["--results=results.json", "--out=out/published.json"],
    "quickstart": ["--workdir=out/quick", "--steps=3"],
    "report": [f"--evaluation=run/{EVALUATED}"],
    "side_by_side": ["--results", "results.json", "results.json"],
}
GRID = """
def get_grid():
    return {"config": "configs/cgdmer.py:nano", "reference": "a", "overrides": {}, "rows": ROWS}
"""
ROWS = {"a": {"overrides": {}, "seeds": (0,)}, "b": {"overrides": {"seed": 3}, "seeds": (0, 1)}}
# Where real work would begin: module and name.
WORK = (
    ("cgdmer_jax.recipes.pretrain", "first_state"),
    ("cgdmer_jax.recipes.adapt_text", "train_in"),
    ("cgdmer_jax.recipes.dry_run", "make_step"),
    ("cgdmer_jax.recipes.finetune", "first_state"),
    ("cgdmer_jax.recipes.import_merl", "first_state"),
    ("cgdmer_jax.training.hosts", "join"),
    ("cgdmer_jax.commands.quickstart", "convert"),
    ("cgdmer_jax.commands.convert", "convert"),
    ("cgdmer_jax.studies.ablation", "run_all"),
)
CONFIGS = Path(cli.__file__).parents[1] / "configs"
PATHS = (
    *("nowhere", "store", "run", "model", "file", "out", "/proc/nowhere", "/dev/null", "~", ".", "", "a b"),
    *("x" * 300, "out/" * 200, "store/dataset.json"),
)
TEXTS = ("none", "None", "a,b", ",", "a=b", "a.b.c", "{}", "[]", "()", "('a',", "hf://x", "hf://a/b@c", "é", "x" * 3000)
SURPLUS = ("--help", "--config_help", "--dry_run=1x1", "--surplus=1", "surplus", "--", "-h", "--coordinator=x:1")


class Started(BaseException):
    """Real work would have begun."""


class CommandTarget:
    def __init__(self):
        self.tree: Tree = {}
        self.folder = Path()
        self.name, self.words = "", []
        self.answers: dict[str, Values] = {}

    def prepare(self, scratch: Path) -> None:
        os.environ["HOME"] = str(scratch / "folder" / "home")
        self.folder = scratch / "folder"
        self.folder.mkdir(parents=True)
        os.chdir(self.folder)
        with quiet():
            make_run(self.folder / "run")
            write_store(self.folder / "store", REPORTS)
            write_small_model(self.folder / "model")
            write_bert(self.folder / "bert")
        write_tables(self.folder / "merl", [(number, number // 2, number // 2 % 10 + 1) for number in range(2, 82)])
        (self.folder / "results.json").write_bytes((self.folder / "run" / EVALUATED / "results.json").read_bytes())
        (self.folder / "key").write_bytes(bytes(range(32)))
        (self.folder / "grid.py").write_text(GRID.replace("ROWS", repr(ROWS)))
        for name in ("file", "weights.pth", "records/r.hea"):
            (self.folder / name).parent.mkdir(exist_ok=True)
            (self.folder / name).write_text("")
        self.tree = read_tree(self.folder) | {"home": Odd("folder"), "configs": Odd("link", str(CONFIGS))}
        self.put_in_place()
        for name, words in WORDS.items():
            self.name, self.words = name, words
            with contextlib.suppress(CgdmerError), quiet():
                self.answers[name] = self.read()

    def put_in_place(self) -> None:
        """The folder as it was before a command wrote there, and this process in it."""
        write_tree(self.tree, self.folder)
        os.chdir(self.folder)

    def spoil(self, draw: Random) -> str:
        self.put_in_place()
        self.name = draw.choice(sorted(WORDS))
        self.words, told = list(WORDS[self.name]), []
        for _ in range(draw.choice((1, 1, 1, 2, 3))):
            told.append(spoil_words(self.words, draw))
        return f"{self.name} {' '.join(word[:80] for word in self.words)!a} ({'; '.join(told)})"

    def read(self) -> Values:
        """Exit code 0, or a refusal in one line, which is raised as the error that it was."""
        printed, told = io.StringIO(), io.StringIO()
        code: object = "started"
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(told), no_work(), toy_known():
            with mock.patch.object(sys, "argv", ["x", *self.words]), contextlib.suppress(Started):
                try:
                    cli.run_command(self.name, self.words)
                except SystemExit as end:
                    code = end.code
        assert "Traceback" not in told.getvalue() + printed.getvalue(), told.getvalue()[-300:]
        if code in (0, "started"):
            return {f"{self.name}: what it did": code}
        assert code == 1, f"exit code {code}"
        said = [line for line in told.getvalue().split("\n") if line.startswith("error: ")]
        assert len(said) == 1, f"{len(said)} errors told: {told.getvalue()[-300:]!r}"
        raise CgdmerError(told.getvalue()[told.getvalue().index(said[0]) :].removeprefix("error: ").rstrip("\n"))

    def expected(self) -> Values:
        return self.answers.get(self.name, {})


@contextlib.contextmanager
def no_work() -> Iterator[None]:
    """As long as this lasts, real work ends as it begins."""

    def stop(*_, **__):
        raise Started

    with contextlib.ExitStack() as end:
        for module, name in WORK:
            end.enter_context(mock.patch.object(importlib.import_module(module), name, stop))
        # A dry run sets the number of devices, which only a fresh process can.
        end.enter_context(mock.patch.object(jax.config, "update", lambda *_: None))
        yield


def spoil_words(words: list[str], draw: Random) -> str:
    """Changes the words of a command in one place; says how."""
    if not words:
        words.append("--help" if draw.random() < 0.2 else draw.choice(TEXTS))
        return "a word where there was none"
    number = draw.randrange(len(words))
    option, equals, value = words[number].partition("=")
    change = draw.choice(CHANGES)
    return change(words, number, option, equals, value, draw)


def _misspelt(words, number, option, equals, value, draw) -> str:
    place = draw.randrange(len(option))
    new = draw.choice((option[:place] + option[place + 1 :], option[:place] + "z" + option[place:], option.upper()))
    words[number] = draw.choice((new, option.replace("_", "-"), option[1:], option[:-2])) + equals + value
    return f"{option} misspelt"


def _dropped(words, number, option, equals, value, draw) -> str:
    del words[number]
    return f"{option} dropped"


def _without_value(words, number, option, equals, value, draw) -> str:
    words[number] = option + draw.choice(("", "="))
    return f"{option} without value"


def _twice(words, number, option, equals, value, draw) -> str:
    words.insert(draw.randrange(len(words)), words[number])
    return f"{option} twice"


def _odd_value(words, number, option, equals, value, draw) -> str:
    place = draw.randrange(len(value) + 1)
    odd = value[:place] + draw.choice(ODD_CHARACTERS.replace("\0", "")) + value[place:]
    new = draw.choice((draw.choice(ODD_NUMBERS), draw.choice(PATHS), draw.choice(TEXTS), odd, odd))
    words[number] = f"{option}={new}"
    return f"{option} is {new[:30]!a}"


def _config_field(words, number, option, equals, value, draw) -> str:
    field, new = draw.choice(config_fields()), draw.choice((*ODD_NUMBERS, *TEXTS))
    words.append(f"--config.{field}={new}")
    return f"{field} is {new[:30]!a}"


def _surplus(words, number, option, equals, value, draw) -> str:
    new = draw.choice(SURPLUS)
    words.insert(number, new)
    return f"{new} added"


def config_fields() -> list[str]:
    """Names of all fields of the shipped config."""
    from cgdmer_jax.config import flat, load_config

    return sorted(flat(load_config(NANO.partition("=")[2], []).copy_and_resolve_references().to_dict()))


CHANGES: tuple[Callable, ...] = (
    *(_misspelt, _dropped, _without_value, _twice, _config_field, _surplus),
    *[_odd_value] * 5,
)


def make_target() -> CommandTarget:
    return CommandTarget()
