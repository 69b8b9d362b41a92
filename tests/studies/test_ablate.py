"""A grid of runs: what is refused first, what is skipped, what runs again, and the table that comes out."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from cgdmer_jax.commands import ablate
from cgdmer_jax.data.corpus import open_corpus
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.metrics.results import Setting, rows_for_scores, write_results
from cgdmer_jax.studies import one_run, paired
from cgdmer_jax.studies.grid import load_grid
from tests.data.small_stores import write_store
from tests.small_runs import ROOT, SMALL, make_store, start_command

GRID = """
def get_grid():
    return {{
        "config": "configs/cgdmer.py:quickstart",
        "overrides": {common},
        "reference": "both",
        "rows": {rows},
    }}
"""
ROWS = {
    "both": {"overrides": {}, "seeds": (0, 1)},
    "masked": {"overrides": {"method.weight_align": 0.0}, "seeds": (0, 1)},
    "random": {"overrides": {"method.masking": "random"}, "seeds": (0,)},
}
N = 60
ablate_run_child = one_run.run_child  # before a test stands in for it
LABELS = np.random.default_rng(0).random((N, 2)) < 0.4


@pytest.fixture(autouse=True)
def in_the_checkout(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return write_store(tmp_path_factory.mktemp("ablate") / "s", [f"report {row}" for row in range(40)])


class Folder:
    """A grid file and the folders of its command; runs are stood in for."""

    def __init__(self, path, store, monkeypatch):
        self.path, self.store, self.calls = path, store, []
        self.codes = {}
        self.write(ROWS)
        monkeypatch.setattr(one_run, "run_child", self._run)

    def write(self, rows, **common):
        (self.path / "grid.py").write_text(GRID.format(rows=repr(rows), common=repr({"optimizer.steps": 3} | common)))

    def main(self, *more):
        words = [f"--grid={self.path / 'grid.py'}", f"--store={self.store}", f"--workdir={self.path / 'runs'}"]
        return ablate.main([*words, f"--out={self.path}", f"--figure={self.path / 'a.svg'}", *more])

    def json(self, name):
        return json.loads((self.path / f"ablation-{name}.json").read_text())

    def table(self):
        return json.loads((self.path / "ablation-table.json").read_text())

    def _run(self, words):
        """Leaves what the real commands leave; the score of a run is a function of its folder's name."""
        command = words[3]  # python -m cgdmer_jax COMMAND
        run = Path(next(w for w in words if w.startswith(("--workdir=", "--run="))).split("=", 1)[1])
        self.calls.append(f"{command} {run.name.rsplit('-', 1)[0]}")
        if self.calls[-1] in self.codes:
            return self.codes[self.calls[-1]]
        if command == "pretrain":
            run.mkdir(parents=True)
            lines = [{"step": 3, "loss": 1.0, "records_per_second": 80.0}, {"step": 3, "validation_loss": 2.0}]
            (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
            (run / "environment.json").write_text("[{}]")
            (run / "config.json").write_text('{"method_name": "cgdmer"}')
        else:
            leave_evaluation(run, open_corpus((self.store,)).fingerprint)
        return 0


def scores_of(run: str):
    """Any two runs differ; of the same name are equal."""
    skill = {"both": 0.6, "masked": 0.3, "random": 0.5}[run.split("-")[0]]
    return np.random.default_rng([ord(c) for c in run]).random(LABELS.shape) + skill * LABELS


def leave_evaluation(run, fingerprint):
    out = run / "evaluation" / "synthetic" / "validation"
    out.mkdir(parents=True)
    name = run.name.rsplit("-", 1)[0]
    setting = Setting(
        store="synthetic", split="validation", method="cgdmer", run=run.name, feature="main", feature_dim=2,
        evaluation="probe", task="findings", domain="in", supervision="labels", seen_in_training=False,
    )  # fmt: skip
    rows = rows_for_scores(setting, [scores_of(name)], LABELS, ("A", "B"), probabilities=False).rows
    write_results(out / "results.json", "", rows, {"store": fingerprint})
    arrays = {
        "probe/cgdmer/main": scores_of(name).astype(np.float32),
        "labels": LABELS,
        "classes": np.array(["A", "B"]),
    }
    arrays |= {"record_id": np.arange(N).astype(str), "patient_id": (np.arange(N) // 2).astype(str)}
    np.savez(out / "predictions.npz", **{f"findings/{k}": v for k, v in arrays.items()})


@pytest.fixture
def folder(tmp_path, store, monkeypatch):
    return Folder(tmp_path, store, monkeypatch)


def test_each_run_trains_and_is_scored_once_and_its_json_says_what_it_was(folder):
    assert folder.main() == 0
    expected = ["both-seed0", "both-seed1", "masked-seed0", "masked-seed1", "random-seed0"]
    assert folder.calls == [f"{c} {name}" for name in expected for c in ("pretrain", "evaluate")]
    made = folder.json("masked-seed1")
    assert (made["row"], made["seed"], made["steps"]) == ("masked", 1, 3)
    assert made["overrides"]["method.weight_align"] == 0.0 and made["config"]["method.weight_align"] == 0.0
    assert {"command", "commit", "environment", "wall_seconds", "config_sha256", "commands"} <= made.keys()
    assert made["metrics"]["training"]["loss"] == 1.0 and made["metrics"]["validation"]["validation_loss"] == 2.0
    assert [(r["class"], r["metric"], r["feature"]) for r in made["rows"]] == [("macro_ge10", "auroc", "main")]
    assert "--config.method.weight_align=0.0" in made["commands"]["pretrain"]


def test_the_same_command_again_runs_nothing(folder, capsys):
    folder.main()
    folder.calls.clear()
    assert folder.main() == 0
    assert folder.calls == [] and "both seed 0: done" in capsys.readouterr().out


def test_it_goes_on_where_it_was_stopped_and_75_passes_through(folder):
    folder.codes = {"pretrain masked-seed0": 75}
    assert folder.main() == 75
    assert folder.calls[-1] == "pretrain masked-seed0"
    folder.codes, folder.calls = {}, []
    assert folder.main() == 0
    assert folder.calls[0] == "pretrain masked-seed0" and len(folder.calls) == 6


def test_a_run_that_fails_keeps_no_other_from_its_turn_and_is_named(folder):
    folder.codes = {"evaluate both-seed1": 1}
    with pytest.raises(CgdmerError, match=r"1 runs failed \(both seed 1\)"):
        folder.main()
    assert folder.calls[-1] == "evaluate random-seed0"
    assert not (folder.path / "ablation-both-seed1.json").exists()


@pytest.mark.parametrize("call", ["pretrain both-seed1", "evaluate both-seed1"])
def test_a_run_that_is_killed_keeps_no_other_from_its_turn(folder, call):
    """As by a system that is short of memory."""
    assert ablate_run_child([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]) == -9
    folder.codes = {call: -9}
    with pytest.raises(CgdmerError, match=r"1 runs failed \(both seed 1\)"):
        folder.main()
    assert folder.calls[-1] == "evaluate random-seed0"


def test_a_run_that_left_no_curve_keeps_no_other_from_its_turn(folder, monkeypatch, capsys):
    describe = one_run.describe

    def without_curve(one, run):
        if (one.row, one.seed) == ("both", 1):
            (run / "metrics.jsonl").write_text("")
        return describe(one, run)

    monkeypatch.setattr(one_run, "describe", without_curve)
    with pytest.raises(CgdmerError, match=r"1 runs failed \(both seed 1\)"):
        folder.main()
    assert "metrics.jsonl has no line of a training step" in capsys.readouterr().out
    assert folder.calls[-1] == "evaluate random-seed0"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("both-seed0.json", b"[" * 99_999, "both-seed0.json is nested"),
        ("both-seed0.json", b'{"rows": 3}', "both-seed0.json lacks"),
        ("table.json", b"", "table.json is not valid JSON"),
        ("both-seed0.npz", b"PK", "both-seed0.npz .*restore it, or delete it"),
    ],
)
def test_a_damaged_file_of_a_finished_run_is_told_with_its_name(folder, name, content, words):
    folder.main("--only=both")
    (folder.path / f"ablation-{name}").write_bytes(content)
    with pytest.raises(CgdmerError, match=words):
        folder.main("--only=both")


def test_what_is_written_of_a_grid_does_not_tell_where_it_was_run(folder):
    folder.main()
    files = [*folder.path.glob("*.json"), *folder.path.glob("*.npz"), folder.path / "a.svg"]
    assert len(files) == 12
    for file in files:
        for place in (str(folder.path), str(Path(folder.store).parent)):
            assert place.encode() not in file.read_bytes(), f"{file.name} tells {place}"
    assert folder.json("both-seed0")["config"]["data.stores"] == [".../s"]


def test_a_good_table_is_never_overwritten_by_one_of_fewer_rows(folder):
    """`--only` adds to the table; when the other rows' JSON count no more, the table stays and the command says so."""
    folder.main("--only=both,masked")
    folder.main("--only=random")
    before = folder.table()
    assert {row["row"] for row in before["rows"]} == {"both", "masked", "random"}
    folder.write(ROWS, **{"method.weight_ecg": 2.0})
    with pytest.raises(CgdmerError, match=r"left as it is.*both: 2 -> 0, masked: 2 -> 0"):
        folder.main("--only=random")
    assert folder.table() == before
    assert folder.main() == 0


def test_a_changed_config_runs_again_in_a_folder_of_its_own_and_says_what_changed(folder, capsys):
    folder.main()
    folder.calls.clear()
    folder.write(ROWS | {"random": {"overrides": {"method.masking": "time"}, "seeds": (0,)}})
    assert folder.main() == 0
    assert folder.calls == ["pretrain random-seed0", "evaluate random-seed0"]
    assert "method.masking: random -> time" in capsys.readouterr().out
    assert len(list((folder.path / "runs").glob("random-seed0-*"))) == 2


def test_only_names_rows_and_a_dry_run_runs_none(folder, capsys):
    assert folder.main("--only=masked", "--dry_run") == 0
    said = capsys.readouterr().out
    assert folder.calls == [] and "2 of 5 runs" in said
    assert "masked seed 0: " in said and "masked seed 1: " in said and "weight_align=0" in said
    folder.main("--only=masked")
    assert len(folder.calls) == 4
    assert "no run of the reference row" in capsys.readouterr().out
    assert not (folder.path / "ablation-table.json").exists()
    with pytest.raises(CgdmerError, match=r'no row "mask"\. Did you mean "masked"'):
        folder.main("--only=mask")


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ({"method.weight_aligne": 0.0}, r'grid row "last".*no field.*Did you mean "method.weight_align"'),
        ({"method.masking": "randm"}, r'grid row "last".*Did you mean "random"'),
        ({"method.mask_ratio": "much"}, r'grid row "last".*mask_ratio'),
        ({}, 'rows "both" and "last" are the same config'),
    ],
)
def test_a_mistake_in_the_last_row_is_told_before_anything_runs(folder, overrides, sentence):
    folder.write(ROWS | {"last": {"overrides": overrides, "seeds": (0,)}})
    with pytest.raises(CgdmerError, match=sentence) as caught:
        folder.main()
    assert folder.calls == [] and "\n" not in str(caught.value)


def test_a_grid_file_with_another_shape_is_refused(tmp_path):
    with pytest.raises(CgdmerError, match="no such file"):
        load_grid(str(tmp_path / "none.py"))
    (tmp_path / "g.py").write_text("def get_grid(): return {'config': 'x', 'rows': {}, 'reference': 'a'}")
    with pytest.raises(CgdmerError, match="lacks the field overrides"):
        load_grid(str(tmp_path / "g.py"))


@pytest.mark.parametrize("name", ["g.py", "g"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "has no function get_grid"),
        ('{"a": false}', r"is no Python file that runs \(NameError: name 'false' is not defined\); correct"),
        ("def get_grid(:", r"is no Python file that runs \(SyntaxError: "),
        ("import nowhere", r"is no Python file that runs \(ModuleNotFoundError: "),
        ("def get_grid(): return None", "is a NoneType, expected a dict with config, overrides, reference, rows"),
        (
            "def get_grid(): return {'config': 'x', 'overrides': {}, 'rows': [], 'reference': 'a'}",
            "rows and overrides must be dicts",
        ),
        (
            "def get_grid(): return {'config': 'x', 'overrides': {}, 'rows': {'a': 3}, 'reference': 'a'}",
            'row "a" is a int, expected a dict with overrides, seeds',
        ),
        (
            "def get_grid(): return {'config': 'x', 'overrides': {}, 'reference': 'aa', "
            "'rows': {'aa': {'overrides': {}, 'seeds': (0,), 'reference': 'ab'}}}",
            r'reference is no row of it\. Did you mean "aa"',
        ),
    ],
)
def test_a_grid_file_that_is_no_grid_is_told_in_one_sentence(tmp_path, name, content, words):
    (tmp_path / name).write_text(content)
    with pytest.raises(CgdmerError, match=words) as caught:
        load_grid(str(tmp_path / name))
    assert "\n" not in str(caught.value)


def test_a_grid_file_of_any_ending_is_read(tmp_path):
    (tmp_path / "grid.txt").write_text(
        "def get_grid(): return {'config': 'x', 'overrides': {}, 'rows': {'a': {'overrides': {}, 'seeds': (3,)}}, "
        "'reference': 'a'}"
    )
    assert load_grid(str(tmp_path / "grid.txt"))["rows"]["a"]["seeds"] == (3,)


def test_table_and_figure_hold_the_paired_differences_of_the_predictions(folder, capsys):
    folder.main()
    row = {r["row"]: r for r in folder.table()["rows"]}
    ids = np.arange(N).astype(str), (np.arange(N) // 2).astype(str)
    both, masked = (
        {s: paired.macro_samples(scores_of(f"{name}-seed{s}"), LABELS, *ids) for s in (0, 1)}
        for name in ("both", "masked")
    )
    found = paired.paired_interval(masked, both)
    for field in ("low", "high"):
        assert row["masked"][field] == pytest.approx(getattr(found, field), abs=1e-4)
    assert row["masked"]["difference"] == pytest.approx(row["masked"]["value"] - row["both"]["value"], abs=1e-4)
    assert (row["masked"]["n_seeds"], row["random"]["n_seeds_paired"]) == (2, 1)
    assert row["both"]["difference"] is None
    printed = capsys.readouterr().out
    assert f"{row['masked']['value']:.3f} {row['masked']['difference']:+.3f} [" in printed
    assert (folder.path / "a.svg").read_text().count("<circle") == 2


def test_a_row_may_be_compared_with_another_than_the_grid_s_reference(folder, capsys):
    folder.write(ROWS | {"random": ROWS["random"] | {"reference": "masked"}})
    folder.main()
    row = {r["row"]: r for r in folder.table()["rows"]}
    ids = np.arange(N).astype(str), (np.arange(N) // 2).astype(str)
    one, other = ({0: paired.macro_samples(scores_of(f"{name}-seed0"), LABELS, *ids)} for name in ("random", "masked"))
    found = paired.paired_interval(one, other)
    for field in ("low", "high"):
        assert row["random"][field] == pytest.approx(getattr(found, field), abs=1e-4)
    assert [row[name]["reference"] for name in ROWS] == ["both", "both", "masked"]
    assert "random less masked" in capsys.readouterr().out
    assert "random less masked" in (folder.path / "a.svg").read_text()


def test_what_stands_beside_the_json_gives_the_same_table_on_a_machine_without_the_runs(folder):
    folder.main()
    before = folder.table()["rows"]
    (folder.path / "runs").rename(folder.path / "gone")
    folder.main()
    assert folder.table()["rows"] == before
    for file in folder.path.glob("*.npz"):
        file.unlink()
    folder.main()
    row = {r["row"]: r for r in folder.table()["rows"]}
    assert row["masked"]["difference"] is not None and row["masked"]["low"] is None


def test_switches_that_no_finished_row_turned_are_not_measured(folder):
    """An override that all rows share turns nothing."""
    folder.write(ROWS, **{"method.weight_ecg": 2.0})
    folder.main("--only=both,masked")
    missing = folder.table()["not_measured"]
    assert "method.weight_ecg" in missing and "method.masking" in missing
    assert "method.weight_align" not in missing
    folder.main()
    assert "method.masking" not in folder.table()["not_measured"]


def test_a_real_run_of_two_steps(tmp_path):
    """The commands themselves: they exist, take these words, and leave what the JSON needs.

    test_compare_training.py has two real runs and the interval of their difference.
    """
    store = make_store(tmp_path / "store", 300)  # ten positives of a class among those scored
    small = {w.removeprefix("--config.").split("=")[0]: int(w.split("=")[1]) for w in SMALL}
    common = small | {"optimizer.steps": 2, "run.log_every": 1}
    rows = {"both": ROWS["both"] | {"seeds": (0,)}}
    (tmp_path / "grid.py").write_text(GRID.format(rows=repr(rows), common=repr(common)))
    words = [f"--grid={tmp_path / 'grid.py'}", f"--store={store}", f"--workdir={tmp_path / 'runs'}"]
    words += [f"--out={tmp_path / 'out'}", f"--figure={tmp_path / 'a.svg'}"]
    process = start_command("ablate", words)
    printed, _ = process.communicate()
    assert process.returncode == 0, printed
    made = json.loads((tmp_path / "out/ablation-both-seed0.json").read_text())
    found = {(r["evaluation"], r["feature"]) for r in made["rows"]}
    assert found == {("probe", "main"), ("zero_shot", "aligned"), ("retrieval", "aligned")}
    assert all(r["low"] <= r["value"] <= r["high"] for r in made["rows"] if r["metric"] == "auroc")
    table = json.loads((tmp_path / "out/ablation-table.json").read_text())["rows"]
    assert {r["feature"] for r in table} > {"main", "aligned"}
