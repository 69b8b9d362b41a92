"""Cross-validation of a delineation, by predictors of which it is known what they score."""

import json

import numpy as np
import pytest

from cgdmer_jax.data.record_columns import WAVES
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.evaluation.delineation import cross_validate, open_marked
from cgdmer_jax.metrics.delineation import NOT_ANNOTATED
from tests.data.marked_store import marked_store
from tests.data.small_stores import write_store

N_RECORDS = 40


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return open_marked(marked_store(tmp_path_factory.mktemp("marked") / "store", N_RECORDS))


def marks_of(corpus, lines):
    return np.maximum(corpus.record_columns[WAVES][lines], 0)


def test_each_patient_is_scored_once_by_what_was_learned_from_others(corpus, tmp_path):
    seen = []

    def trained_fold(fit, score):
        assert not set(corpus.patient_id[fit]) & set(corpus.patient_id[score])
        assert len(fit) + len(score) == N_RECORDS
        seen.extend(score.tolist())
        return marks_of(corpus, score)

    document = cross_validate(trained_fold, corpus, {"method": "marks"}, tmp_path / "out.json")
    assert sorted(seen) == list(range(N_RECORDS))
    assert json.loads((tmp_path / "out.json").read_text())["rows"] == document["rows"]
    assert {(row["leads"], row["wave"]) for row in document["rows"]} == {
        (leads, wave) for leads in ("all", "II") for wave in ("P", "QRS", "T", "macro")
    }
    for row in document["rows"]:
        assert (row["value"], row["sd"]) == (0.0 if row["metric"].endswith("_ms") else 1.0, 0.0)
    marked = corpus.record_columns[WAVES][np.arange(N_RECORDS)]
    begins = (marked[:, :, 1:] == 2) & (marked[:, :, :-1] != 2)
    n = {row["leads"]: row["n"] for row in document["rows"] if row["wave"] == "QRS"}
    assert n == {"all": begins.sum(), "II": begins[:, 1].sum()}


def test_the_rows_are_mean_and_spread_of_the_folds(corpus, tmp_path):
    shifts = iter((0, 1, 2, 3, 5))

    def moved(_, score):
        return np.roll(marks_of(corpus, score), next(shifts), axis=2)

    document = cross_validate(moved, corpus, {}, tmp_path / "out.json")
    assert [fold["fold"] for fold in document["folds"]] == [1, 2, 3, 4, 5]
    (row,) = (
        one for one in document["rows"] if (one["leads"], one["wave"], one["metric"]) == ("II", "QRS", "onset_mean_ms")
    )
    assert row["value"] == pytest.approx(22.0) and row["sd"] == pytest.approx(np.std([0, 10, 20, 30, 50], ddof=1))


def test_a_figure_that_a_fold_has_not_is_null(corpus, tmp_path):
    document = cross_validate(lambda _, score: 0 * marks_of(corpus, score), corpus, {}, tmp_path / "out.json")
    values = {row["metric"]: row["value"] for row in document["rows"] if row["wave"] == "T"}
    assert values["dice"] == values["onset_sensitivity"] == 0.0 and values["onset_ppv"] is None
    marked = (corpus.record_columns[WAVES][np.arange(corpus.n_records)] != NOT_ANNOTATED).any(-1).sum()
    assert sum(fold["leads_without_a_wave"] for fold in document["folds"]) == marked > 0


def test_it_goes_on_behind_the_last_finished_fold_and_only_with_the_same_settings(corpus, tmp_path):
    out, calls = tmp_path / "out.json", []

    def stopped(fit, score):
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(score)
        return marks_of(corpus, score)

    with pytest.raises(KeyboardInterrupt):
        cross_validate(stopped, corpus, {"steps": 3}, out)
    assert "rows" not in json.loads(out.read_text())
    with pytest.raises(CgdmerError, match=r"out\.json was made with steps 3, not 4; name another --out"):
        cross_validate(stopped, corpus, {"steps": 4}, out)
    later = []
    found = cross_validate(lambda f, s: later.append(s) or marks_of(corpus, s), corpus, {"steps": 3}, out)
    assert len(later) == 3 and len(found["folds"]) == 5
    assert cross_validate(stopped, corpus, {"steps": 3}, out)["rows"] == found["rows"]  # nothing is left to do
    out.write_text(out.read_text().replace('"fold": 3', '"fold": 4'))
    with pytest.raises(CgdmerError, match="differs from what was written"):
        cross_validate(stopped, corpus, {"steps": 3}, out)


def test_a_store_without_marks_or_with_too_few_patients_is_refused(tmp_path):
    other = write_store(tmp_path / "other", ["a", "b", "c"])
    with pytest.raises(CgdmerError, match="holds no waves"):
        open_marked(other)
    few = open_marked(marked_store(tmp_path / "few", 3))
    with pytest.raises(CgdmerError, match="no record with marked waves in folds 5 and 6; give a store of more"):
        cross_validate(lambda _, score: pytest.fail("a fold was trained"), few, {}, tmp_path / "out.json")
