"""A finished run counts while what it learned under is the grid's config, and a good table is not lost."""

import json
import shutil

import pytest

from cgdmer_jax.config import flat
from cgdmer_jax.studies.ablation import ABLATION
from cgdmer_jax.studies.finished_runs import NEUTRAL, STORE, differs, json_path, seeds_lost
from cgdmer_jax.studies.grid import load_grid, plan
from cgdmer_jax.studies.table import table_of
from tests.small_runs import ROOT

RESULTS = ROOT / "results"
STORE_NOW = "0" * 64  # fingerprint of the store at hand
COMMITTED = sorted(RESULTS.glob("ablation-*-seed*.json"))


@pytest.fixture(scope="module")
def planned():
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        return plan(load_grid("configs/ablations/cgdmer.py"), "stores/ptbxl100")


@pytest.fixture
def both(planned):
    return next(one for one in planned if one.row == "both")


def test_every_committed_run_is_finished_under_the_current_grid(planned):
    paths = {json_path(one, ABLATION, RESULTS): one for one in planned}
    assert len(COMMITTED) == 21 and paths.keys() >= set(COMMITTED)
    assert {path.name: found for path in COMMITTED if (found := differs(paths[path], path, STORE_NOW))} == {}


def test_fields_that_a_json_is_older_than_have_the_neutral_value_in_every_config(both):
    assert flat(both.config.to_dict()).items() >= NEUTRAL.items()


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, []),
        ({"run.log_every": 7, "run.mesh": [1, 2]}, []),
        ({"method.hide_ratio": 0.5}, ["method.mask_ratio: 0.5 -> 0.75"]),  # the name that the JSON has
        ({"method.text_tower": "bert"}, ["method.text_tower: bert -> "]),
        ({"method.gone": 1}, ["method.gone: 1 -> None"]),
    ],
)
def test_a_run_counts_unless_what_it_learned_under_differs(changes, found, both, tmp_path):
    document = json.loads(json_path(both, ABLATION, RESULTS).read_text())
    document["config"] |= changes
    path = tmp_path / "run.json"
    path.write_text(json.dumps(document))
    assert differs(both, path, STORE_NOW) == found


def test_a_field_that_is_new_and_not_neutral_is_another_config(both, tmp_path):
    document = json.loads(json_path(both, ABLATION, RESULTS).read_text())
    del document["config"]["method.masking"]
    path = tmp_path / "run.json"
    path.write_text(json.dumps(document))
    assert differs(both, path, STORE_NOW) == ["method.masking: None -> spatiotemporal"]


def test_a_table_is_made_of_all_finished_rows_and_fields_younger_than_they_count_as_not_measured():
    table = table_of(COMMITTED, "both")
    assert {row["row"] for row in table.rows} == {path.name.split("-")[1] for path in COMMITTED}
    assert {"method.text_tower", "method.masking"} <= set(table.not_measured)
    assert seeds_lost(RESULTS / "ablation-table.json", table.rows) == []


def test_a_table_with_fewer_rows_or_seeds_than_the_one_there_is_told(tmp_path):
    path = shutil.copy(RESULTS / "ablation-table.json", tmp_path / "t.json")
    fewer = [one for one in COMMITTED if "-masked-" not in one.name and one.name != "ablation-both-seed2.json"]
    assert seeds_lost(path, table_of(fewer, "both").rows) == ["both: 3 -> 2", "masked: 3 -> 0"]
    assert seeds_lost(tmp_path / "none.json", []) == []


@pytest.mark.parametrize(("trained_on", "n_found"), [(STORE_NOW, 0), ("another", 1)])
def test_a_run_on_other_records_is_not_this_one(trained_on, n_found, both, tmp_path):
    document = json.loads(json_path(both, ABLATION, RESULTS).read_text()) | {STORE: trained_on}
    path = tmp_path / "run.json"
    path.write_text(json.dumps(document))
    found = differs(both, path, STORE_NOW)
    assert len(found) == n_found and all("fingerprint another -> " in one for one in found)
