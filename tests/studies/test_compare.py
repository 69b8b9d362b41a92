"""Configs side by side: equally many records, what is refused first, what runs again, and the page that comes out."""

import json
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cgdmer_jax.commands import compare
from cgdmer_jax.data.corpus import open_corpus
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.evaluation.outcome import Outcome, score, together
from cgdmer_jax.metrics.results import Setting, write_results
from cgdmer_jax.short_paths import short_words
from cgdmer_jax.studies import comparison, one_run
from cgdmer_jax.studies.comparison import cost_of, plan, row_name
from tests.data.small_stores import write_store
from tests.small_runs import ROOT

CONFIG = """
from configs.{file} import get_config as made

def get_config(name="nano"):
    config = made(name)
    config.data.batch_size = {batch}
    return config
"""
N = 60
LABELS = np.random.default_rng(0).random((N, 2)) < 0.4
SKILL = {"wide": 0.6, "narrow": 0.3}  # of the config of that name


@pytest.fixture(autouse=True)
def in_the_checkout(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return write_store(tmp_path_factory.mktemp("compare") / "s", [f"report of sinus rhythm {row}" for row in range(40)])


class Folder:
    """Two config files and the folders of the command; runs are stood in for."""

    def __init__(self, path, store, monkeypatch):
        self.path, self.store, self.calls, self.codes, self.words = path, store, [], {}, []
        self.told = None  # last word of an evaluation of before, where it was another
        (path / "wide.py").write_text(CONFIG.format(file="cgdmer", batch=8))
        (path / "narrow.py").write_text(CONFIG.format(file="cmelt", batch=4))
        monkeypatch.setattr(one_run, "run_child", self._run)
        costs = {"n_parameters": 1000, "gflop_a_record": 0.5}  # to trace two methods takes longer than all the rest
        monkeypatch.setattr(comparison, "cost_of", lambda one, corpus: costs)

    def main(self, *more, configs=("wide.py:nano", "narrow.py:nano"), records=16):
        words = ["--configs", *(str(self.path / config) for config in configs), f"--store={self.store}"]
        words += [f"--records={records}", f"--workdir={self.path / 'runs'}", f"--out={self.path / 'out'}"]
        return compare.main([*words, *more])

    def rows(self):
        return json.loads((self.path / "out" / "comparison.json").read_text())["rows"]

    def _run(self, words):
        """Leaves what the real commands leave."""
        self.words.append(words)
        flag = "--run=" if words[3] == "evaluate" else "--workdir="
        run = Path(next(w for w in words if w.startswith(flag)).split("=", 1)[1])
        name = run.name.split("-")[0]
        self.calls.append(f"{words[3]} {'-'.join(run.name.split('-')[:3])}")
        if self.calls[-1] in self.codes:
            return self.codes[self.calls[-1]]
        method = {"wide": "cgdmer", "narrow": "cmelt"}[name]
        if words[3] == "pretrain":
            run.mkdir(parents=True, exist_ok=True)  # a finished run goes on with nothing to do
            lines = [{"step": 2, "loss": 1.0, "records_per_second": 80.0}, {"step": 2, "validation_loss": 2.0}]
            (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
            (run / "environment.json").write_text('[{"commit": "abc"}, {"commit": "def"}]')
            (run / "config.json").write_text(json.dumps({"method_name": method}))
        else:
            told = shlex.join(["cgdmer", "evaluate", *short_words(words[4:-1]), self.told or words[-1]])
            origin = {"store": open_corpus((self.store,)).fingerprint, "step": {"wide": 2, "narrow": 4}[name]}
            split = next(w for w in words if w.startswith("--split=")).split("=")[1]
            if words[3] == "finetune":
                run.mkdir()
                (run / "config.json").write_text('{"method_name": "finetune"}')
                leave_finetuning(run, method, SKILL[name], told, origin | {"step": 1}, split)
            elif "--protocol=merl" in words:
                leave_merl(run, method, SKILL[name], told, origin, split)
            else:
                leave_evaluation(run, method, SKILL[name], told, origin, split)
        return 0


def made_setting(method, run, split, **more):
    return Setting(
        store="synthetic", split=split, method=method, run=run.name, feature="main", feature_dim=2,
        task="findings", domain="in", supervision="labels", seen_in_training=False, **more,
    )  # fmt: skip


def leave_finetuning(run, method, skill, told, origin, split):
    setting = made_setting(method, run, split, evaluation="finetune", variant="pretrained")
    scores = np.random.default_rng(7).random(LABELS.shape) + 2 * skill * LABELS
    leave(run / "evaluation" / "synthetic" / split / "finetune", [drawn(setting, [scores])], told, origin)


def leave_merl(run, method, skill, told, origin, split):
    setting = made_setting(method, run, split, evaluation="probe", protocol="merl", label_fraction=0.1)
    scores = np.random.default_rng(8).random(LABELS.shape) + 2 * skill * LABELS
    leave(run / "evaluation" / "synthetic" / split / "merl", [drawn(setting, [scores])], told, origin)


def drawn(setting, draws):
    return score(setting, draws, LABELS, ("A", "B"), probabilities=False)


def leave_evaluation(run, method, skill, told, origin, split):
    made: list[Outcome] = []
    for own, leads in ((method, "all"), ("random_weights", "all"), (method, "II"), (method, "random9")):
        probed = {"evaluation": "missing_leads", "variant": "native"} if leads != "all" else {"evaluation": "probe"}
        setting = made_setting(own, run, split, leads=leads, **probed)
        own_skill = {"random_weights": 0.0}.get(own, skill if leads == "all" else skill / 2)
        scores = np.random.default_rng([ord(c) for c in f"{own}{leads}"]).random(LABELS.shape) + own_skill * LABELS
        draws = [scores, scores[:, ::-1]] if leads == "random9" else [scores]  # leads taken away twice
        made.append(drawn(setting, draws))
    few = made_setting(method, run, split, evaluation="probe", label_fraction=0.01)
    made += [drawn(replace(few, val_labels=kind), [scores + skill * LABELS]) for kind in ("full", "cut")]
    asked = replace(
        setting, method=method, evaluation="zero_shot", feature="queries", variant="names_seen", leads="all"
    )
    made.append(Outcome(score(asked, [LABELS[:, :1] * 1.0], LABELS[:, :1], ("A",), probabilities=False).rows))
    part = np.zeros((N, 1), np.float32)  # scores of one class of two, as of the names that a run was trained to answer
    more = {f"findings/zero_shot/{method}/queries/names_seen": part}
    leave(run / "evaluation" / "synthetic" / split, made, told, origin, **more)


def leave(out, made, told, origin, **more):
    out.mkdir(parents=True, exist_ok=True)
    outcome = together(made)
    write_results(out / "results.json", told, list(outcome.rows), origin)
    arrays = {key.text(): one.astype(np.float32) for key, one in outcome.predictions.items()}
    arrays |= {"findings/labels": LABELS, "findings/classes": np.array(["A", "B"])}
    arrays |= {"findings/record_id": np.arange(N).astype(str), "findings/patient_id": (np.arange(N) // 2).astype(str)}
    np.savez(out / "predictions.npz", **arrays, **more)


@pytest.fixture
def folder(tmp_path, store, monkeypatch):
    return Folder(tmp_path, store, monkeypatch)


def test_every_config_sees_equally_many_records_whatever_its_batch(folder, store):
    planned = plan([str(folder.path / "wide.py:nano"), str(folder.path / "narrow.py:nano")], str(store), 16, (0, 1))
    seen = [(one.row, one.seed, one.config.optimizer.steps, one.config.data.batch_size) for one in planned]
    assert seen == [("wide-nano", 0, 2, 8), ("wide-nano", 1, 2, 8), ("narrow-nano", 0, 4, 4), ("narrow-nano", 1, 4, 4)]
    assert planned[0].config.run.validate_every == 2  # else nothing would be validated in so short a run


def test_a_row_is_named_by_file_size_and_preset():
    assert row_name("configs/merl.py:nano,lead_dropout") == "merl-nano-lead_dropout"
    assert row_name("kmerl:tiny") == "kmerl-tiny"


def test_differences_are_to_the_first_config_on_the_same_patients_and_the_page_has_all_figures(folder):
    assert folder.main() == 0
    assert folder.calls == [f"{c} {name}-nano-seed0" for name in SKILL for c in ("pretrain", "evaluate")]
    assert "--split=validation" in folder.words[1] and "--optimizer.steps" not in " ".join(folder.words[1])
    rows = {(row["row"], row["evaluation"], row["encoder"]): row for row in folder.rows()}
    first, second = (rows[name, "probe", "trained"] for name in ("wide-nano", "narrow-nano"))
    assert first["difference"] is None and first["value_low"] < first["value"] < first["value_high"]
    assert second["difference"] == pytest.approx(second["value"] - first["value"])
    assert second["low"] < second["difference"] < second["high"]
    # Two methods have different names; their encoders without training gave the same scores here, so that
    # each resample of patients gives the same figure too.
    assert rows["narrow-nano", "probe", "random_weights"]["difference"] == 0
    assert rows["narrow-nano", "probe", "random_weights"]["high"] == 0
    by_leads = {(row["row"], row["leads"]): row for row in folder.rows() if row["evaluation"] == "missing_leads"}
    assert by_leads["wide-nano", "II"]["value"] < first["value"]
    assert rows["wide-nano", "zero_shot", "trained"]["value_low"] is None  # its scores are of a part of the classes
    several = by_leads["wide-nano", "random9"]
    assert several["value_low"] < several["value"] < several["value_high"]
    page = (folder.path / "out" / "comparison.html").read_text()
    for words in (
        "wide-nano",
        "narrow-nano, random weights",
        f"{second['difference']:+.3f}",
        "Missing leads",
        "abc, def",
    ):
        assert words in page


def test_it_goes_on_where_it_was_stopped_and_a_failed_run_keeps_no_other_from_its_turn(folder, capsys):
    folder.codes = {"pretrain wide-nano-seed0": 75}
    assert folder.main() == 75 and len(folder.calls) == 1
    folder.codes = {"evaluate wide-nano-seed0": 1}
    with pytest.raises(CgdmerError, match=r"1 runs failed \(wide-nano seed 0\)"):
        folder.main()
    assert folder.calls[-1] == "evaluate narrow-nano-seed0"
    assert {row["row"] for row in folder.rows()} == {"narrow-nano"}
    assert "without wide-nano seed 0: not finished" in capsys.readouterr().out
    assert "wide-nano seed 0" in (folder.path / "out" / "comparison.html").read_text()
    assert json.loads((folder.path / "out" / "comparison.json").read_text())["unfinished_runs"] == ["wide-nano seed 0"]
    folder.codes, folder.calls = {}, []
    (next((folder.path / "runs").glob("wide*"))).rename(folder.path / "elsewhere")  # the stand-in cannot go on with it
    assert folder.main() == 0
    assert folder.calls == ["pretrain wide-nano-seed0", "evaluate wide-nano-seed0"]
    assert "narrow-nano seed 0: done" in capsys.readouterr().out


def test_other_records_in_the_same_folder_are_trained_on_anew(folder, capsys):
    folder.store = write_store(folder.path / "s", [f"report of sinus rhythm {row}" for row in range(40)])
    folder.main()
    folder.calls.clear()
    shutil.rmtree(folder.store)
    write_store(folder.path / "s", [f"report of flutter {row}" for row in range(40)])
    folder.main("--dry_run")
    assert "2 of 2 runs are to be done now" in capsys.readouterr().out.split("page:")[1]


def test_what_is_scored_already_is_not_scored_again(folder, capsys):
    folder.main()
    folder.calls.clear()
    for file in (folder.path / "out").glob("*.json"):
        file.unlink()
    assert folder.main() == 0
    assert folder.calls == [f"pretrain {name}-nano-seed0" for name in SKILL]
    assert capsys.readouterr().out.count("scored already") == 2


def test_few_labels_fine_tuning_and_protocol_merl_stand_on_the_page_each_by_itself(folder):
    assert folder.main("--finetune", "findings", "--finetune_steps=9", f"--merl_tables={folder.path}") == 0
    commands = ("pretrain", "evaluate", "evaluate", "finetune")
    assert folder.calls == [f"{command} {name}-nano-seed0" for name in SKILL for command in commands]
    tuned = folder.words[3]
    assert {"--task=findings", "--config.optimizer.steps=9", "--config.run.validate_every=3"} <= set(tuned)
    rows = {
        (r["row"], r["protocol"], r["evaluation"], r["label_fraction"]): r
        for r in folder.rows()
        if (r["encoder"], r["leads"]) == ("trained", "all")
    }
    first, second = (
        [rows[name, *key] for key in (("clean", "finetune", 1.0), ("clean", "probe", 0.01), ("merl", "probe", 0.1))]
        for name in ("wide-nano", "narrow-nano")
    )
    for ours, theirs in zip(first, second, strict=True):
        assert theirs["difference"] == pytest.approx(theirs["value"] - ours["value"])
    # Of the two on the same patients each resample gives a difference; protocol merl has no intervals.
    assert all(row["low"] < row["difference"] < row["high"] for row in second[:2])
    assert second[2]["low"] is None and second[2]["value_low"] is None
    page = (folder.path / "out" / "comparison.html").read_text()
    for title in ("Fine-tuned", "Probe, 1% of the labels", "Probe, 10% of the labels by protocol merl"):
        assert f">{title}</h2>" in page


def test_a_finished_run_is_fine_tuned_later_and_trained_no_more(folder, capsys):
    folder.main()
    folder.calls.clear()
    assert folder.main("--finetune", "findings") == 0
    assert folder.calls == [f"{command} {name}-nano-seed0" for name in SKILL for command in ("pretrain", "finetune")]
    assert capsys.readouterr().out.count("not fine-tuned on findings in 300 steps; that is done now") == 2
    folder.calls.clear()
    assert folder.main("--finetune", "findings") == 0
    assert folder.main() == 0  # a run that was scored in more ways than asked for is finished
    assert folder.calls == []


def test_what_was_scored_by_other_words_is_scored_again(folder):
    folder.told = "--random_seeds=3"
    folder.main()
    folder.calls.clear()
    folder.told = None
    for file in (folder.path / "out").glob("*.json"):
        file.unlink()
    assert folder.main() == 0
    assert folder.calls == [f"{c} {name}-nano-seed0" for name in SKILL for c in ("pretrain", "evaluate")]


def test_what_validation_scored_does_not_stand_for_the_test_split(folder):
    assert folder.main() == 0
    before = {file.name: file.read_bytes() for file in (folder.path / "out").iterdir()}
    folder.calls = []
    assert folder.main("--split=test") == 0
    assert [call for call in folder.calls if "evaluate" in call] == [f"evaluate {name}-nano-seed0" for name in SKILL]
    assert {name: (folder.path / "out" / name).read_bytes() for name in before} == before
    made = json.loads((folder.path / "out" / "comparison_test.json").read_text())
    assert made["split"] == "test" and json.loads(before["comparison.json"])["split"] == "validation"
    assert "test split" in (folder.path / "out" / "comparison_test.html").read_text()
    of_run = json.loads((folder.path / "out" / "comparison_test-wide-nano-seed0.json").read_text())
    assert of_run["rows"][0]["split"] == "test"


def test_a_dry_run_tells_the_costs_and_trains_nothing(folder, capsys, monkeypatch):
    monkeypatch.setattr(comparison, "cost_of", cost_of)
    assert folder.main("--dry_run") == 0
    said = capsys.readouterr().out
    assert folder.calls == [] and said.count("GFLOP a record") == 2 and "0.5 GFLOP" not in said
    assert not (folder.path / "out").exists()


@pytest.mark.parametrize(
    ("more", "given", "sentence"),
    [
        ((), {"configs": ("wide.py:nano", "wide.py:nano")}, "two of them are called wide-nano"),
        ((), {"configs": ("wide.py:nano", "narrow.py:huge")}, r'narrow.*has no size "huge"'),
        ((), {"records": 12}, r"wide\.py.*batches have 8 records.*--records=12; give a multiple"),
        ((), {"records": 0}, "give a multiple"),
        (("--seeds", "1", "1"), {}, "names a seed twice"),
        (("--finetune", "finding"), {}, 'no task "finding". Did you mean "findings"'),
    ],
)
def test_a_mistake_is_told_before_anything_runs(folder, more, given, sentence):
    with pytest.raises(CgdmerError, match=sentence):
        folder.main(*more, **given)
    assert folder.calls == []
