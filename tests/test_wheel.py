"""The installed package by itself: a wheel of this tree, used from an empty folder, far from any checkout."""

import email
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import wfdb

import cgdmer_jax
from cgdmer_jax import provenance
from cgdmer_jax.cli import command_names
from tests.small_runs import ROOT, SMALL

# What a wheel could wrongly hold is in the copy too.
TREE = ("baselines", "benchmarks", "cgdmer_jax", "configs", "experiments", "tests", "setup.cfg", "pyproject.toml")
PAGES = ("README.md", "LICENSE")
KEPT_TEXTS = ("prompt_texts", "finding_phrases")
MADE = shutil.ignore_patterns("__pycache__", "*.egg-info", "build")
RATE = 50
QUICK = ["--features=main", "--random_seeds=0"]
BRIEF = [
    *("--config.data.min_patients=1", "--config.data.batch_size=4", "--config.run.validation_records=4"),
    *("--config.optimizer.steps=2", "--config.run.validate_every=2"),
]
LEADS = ["I", "II", "III", "AVR", "AVL", "AVF", "V1", "V2", "V3", "V4", "V5", "V6"]


def copy_tree(to: Path) -> None:
    """The sources without anything that was built; links stay links."""
    for name in [*TREE, *(page for page in PAGES if (ROOT / page).is_file())]:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, to / name, symlinks=True, ignore=MADE)
        elif name in PAGES or (ROOT / name).is_file():
            shutil.copy(ROOT / name, to / name)


def pip(*words: str, cwd: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", *words, "--no-deps", "--no-index", "--quiet"],
        cwd=cwd, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    tree, dist = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("dist")
    copy_tree(tree)
    pip("wheel", ".", "--no-build-isolation", f"--wheel-dir={dist}", cwd=tree)
    (made,) = dist.glob("*.whl")
    return made


class Installed:
    """The wheel's files on the path of Python, and an empty folder to work in."""

    def __init__(self, site: Path, folder: Path) -> None:
        self.site, self.folder = site, folder
        self.environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {
            "PYTHONPATH": str(site),
            "JAX_PLATFORMS": "cpu",
        }

    def python(self, *words: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, *words],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip

    def cgdmer(self, *words: str) -> str:
        """Output of the program, which must end well."""
        done = self.python(str(self.site / "bin/cgdmer"), *words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Installed:
    site, folder = (tmp_path_factory.mktemp(name) for name in ("site", "empty"))
    pip("install", str(wheel), f"--target={site}", cwd=folder)
    one = Installed(site, folder)
    found = one.python("-c", "import cgdmer_jax; print(cgdmer_jax.__file__)").stdout.strip()
    assert found == str(site / "cgdmer_jax/__init__.py"), f"{found} is another installation"
    return one


def write_wfdb(folder: Path) -> None:
    """Three recordings of another rate and order of leads than the model's."""
    folder.mkdir()
    time, draw = np.arange(1000) / 100, np.random.default_rng(0)
    for number in range(3):
        beats = np.exp(-(((time % (0.7 + number / 10)) - 0.3) ** 2) / 2e-4)
        signal = beats[:, None] * np.linspace(1.2, 0.4, 12) + 0.01 * draw.normal(size=(1000, 12))
        wfdb.wrsamp(f"made{number}", 100, ["mV"] * 12, LEADS[::-1], signal, fmt=["16"] * 12, write_dir=str(folder))


@pytest.fixture(scope="module")
def worked(installed) -> dict[str, str]:
    """Output of the commands from recordings to embeddings, each as its user types it, by name."""
    write_wfdb(installed.folder / "recordings")
    chain = {
        "convert": ["--source=synthetic", "--records=60", f"--rate={RATE}", "--out=store"],
        "pretrain": ["--config=cgdmer:nano", "--workdir=run", "--config.data.stores=store", *SMALL, *BRIEF],
        "evaluate": ["--run=run", "--store=store", "--split=test", "--parts=zero_shot", *QUICK],
        "export_model": ["--run=run", "--out=model"],
        "embed": ["--model=model", "--records=recordings", "--out=embeddings.npz"],
    }
    return {name: installed.cgdmer(name, *words) for name, words in chain.items()}


def test_the_wheel_holds_the_package_its_configs_and_prompts_and_nothing_else(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    package = {name for name in names if name.startswith("cgdmer_jax/")}
    sources = {f"cgdmer_jax/{file.relative_to(ROOT / 'cgdmer_jax')}" for file in (ROOT / "cgdmer_jax").rglob("*.py")}
    configs = {f"cgdmer_jax/configs/{file.relative_to(ROOT / 'configs')}" for file in (ROOT / "configs").rglob("*.py")}
    text = ROOT / "cgdmer_jax/data/text"
    prompts, phrases = ({str(file.relative_to(ROOT)) for file in (text / of).glob("*.json")} for of in KEPT_TEXTS)
    assert {"cgdmer_jax/configs/cgdmer.py", "cgdmer_jax/configs/ablations/cgdmer.py"} <= configs and prompts and phrases
    assert package == sources | configs | prompts | phrases
    assert {name.split("/")[0] for name in names - package} == {f"cgdmer_jax-{cgdmer_jax.__version__}.dist-info"}


def test_the_wheel_names_its_version_and_its_program(wheel):
    archive, info = zipfile.ZipFile(wheel), f"cgdmer_jax-{cgdmer_jax.__version__}.dist-info"
    metadata = email.message_from_bytes(archive.read(f"{info}/METADATA"))
    assert (metadata["Name"], metadata["Version"]) == ("cgdmer_jax", cgdmer_jax.__version__)
    assert archive.read(f"{info}/entry_points.txt").decode().split() == (
        "[console_scripts] cgdmer = cgdmer_jax.cli:main".split()
    )


def test_importing_the_package_leaves_jax_flax_and_numpy_unimported(installed):
    code = "import cgdmer_jax, sys; print(sorted({'jax', 'flax', 'numpy'} & set(sys.modules)), cgdmer_jax.__version__)"
    assert installed.python("-c", code).stdout.strip() == f"[] {cgdmer_jax.__version__}"


def test_help_lists_the_commands_without_importing_what_they_need(installed):
    code = (
        "import runpy, sys; sys.argv = ['cgdmer', '--help']\n"
        "try: runpy.run_module('cgdmer_jax', run_name='__main__')\n"
        "finally: print(sorted({'jax', 'numpy'} & set(sys.modules)), file=sys.stderr)\n"
    )
    traced, plain = installed.python("-c", code), installed.python("-m", "cgdmer_jax", "--help")
    assert plain.returncode == 0 and traced.stderr.strip() == "[]" and traced.stdout == plain.stdout
    listed = [line.split()[0] for line in plain.stdout.splitlines() if line.startswith("  ")]
    assert listed == command_names()


def test_a_wrong_command_is_one_sentence_with_a_suggestion(installed):
    done = installed.python("-m", "cgdmer_jax", "pretrian")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        'error: there is no command "pretrian". Did you mean "pretrain"? `cgdmer --help` lists them\n'
    )


def test_a_mistake_is_answered_with_the_commands_of_the_program(installed):
    done = installed.python(str(installed.site / "bin/cgdmer"), "convert", "--source=ptbxl")
    assert done.returncode == 1
    assert done.stderr.strip().endswith("; cgdmer convert --help shows all arguments and an example")


def test_recordings_become_embeddings_in_an_empty_folder(worked, installed):
    assert "60 records" in worked["convert"]
    assert "step 2 of 2" in worked["pretrain"]
    assert "zero_shot" in worked["evaluate"]
    assert "report: run/evaluation/synthetic/test/report.html\n" in worked["evaluate"]
    assert "cgdmer_jax.load('model')" in worked["export_model"]
    made = np.load(installed.folder / "embeddings.npz")
    assert sorted(made["record"]) == ["made0", "made1", "made2"] and (made["start_s"] == 0).all()
    assert made["embedding"].shape == (3, 2 * 16)  # shared and specific, 16 each, as SMALL has it
    assert np.isfinite(made["embedding"]).all()
    assert np.ptp(made["embedding"], axis=0).max() > 0


def test_results_record_the_program_its_version_and_no_commit(worked, installed):
    folder = installed.folder / "run"
    results = json.loads((folder / "evaluation/synthetic/test/results.json").read_text())
    (start,) = json.loads((folder / "environment.json").read_text())
    assert results["command"].startswith("cgdmer evaluate --run=run ")
    assert start["command"].startswith("cgdmer pretrain --config=cgdmer:nano ")
    for recorded, environment in ((results, results["environment"]), (start, start)):
        assert recorded["commit"] is None and environment["cgdmer_jax"] == cgdmer_jax.__version__


def test_nothing_that_is_printed_or_written_names_a_module_of_the_checkout(worked, installed):
    written = [f for f in installed.folder.rglob("*") if f.suffix in (".json", ".jsonl", ".md", ".html", ".csv")]
    assert {f.name for f in written} >= {"results.json", "report.html", "README.md", "input.json"}
    texts = worked | {str(file): file.read_text() for file in written}
    assert not [name for name, text in texts.items() if "experiments." in text or "python -m" in text]


def test_the_wheel_has_the_hash_of_the_code_that_the_checkout_has(installed):
    code = "from cgdmer_jax import provenance; print(provenance.code_sha256())"
    assert installed.python("-c", code).stdout.strip() == provenance.code_sha256()
