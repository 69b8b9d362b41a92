"""The project's own grid: its rows, and that each is a config of its own."""

import pytest

from cgdmer_jax.data.corpus import open_corpus
from cgdmer_jax.studies.grid import check_makeable, load_grid, plan
from tests.data.small_stores import write_store
from tests.small_runs import ROOT


@pytest.fixture(autouse=True)
def in_the_checkout(monkeypatch):
    monkeypatch.chdir(ROOT)


def test_the_project_s_grid_has_the_rows_of_the_issue_with_three_seeds():
    rows = load_grid("configs/ablations/cgdmer.py")["rows"]
    three = [name for name, row in rows.items() if row["seeds"] == (0, 1, 2)]
    off = {f"method.weight_{term}": 0.0 for term in ("ecg", "text", "align", "disentangle")}
    expected = {
        "both": set(),
        "masked": {"method.weight_align", "method.weight_disentangle"},
        "contrast": {"method.weight_ecg", "method.weight_text", "method.weight_disentangle"},
        "both_without_disentangling": {"method.weight_disentangle"},
    }
    assert set(three) >= expected.keys()
    for name, fields in expected.items():
        assert rows[name]["overrides"] == {field: off[field] for field in fields}
    assert set(three) >= {"siglip", "align_hardly_masked", "cross_reconstruction", "scale_from_visible_samples"}
    assert len(rows.keys() - expected.keys()) <= 13  # others, two of them longer, and what is a default already


def test_every_row_of_the_project_s_grid_is_a_config_of_its_own(tmp_path):
    grid = load_grid("configs/ablations/cgdmer.py")
    store = str(write_store(tmp_path / "s", [f"report {row}" for row in range(40)]))
    planned = plan(grid, store)
    check_makeable(planned, open_corpus((store,)))
    assert len(planned) == sum(len(row["seeds"]) for row in grid["rows"].values())
