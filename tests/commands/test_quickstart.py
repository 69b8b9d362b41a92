"""The README's first command leaves the figures that the README shows."""

import json
from types import SimpleNamespace

import pytest

from cgdmer_jax.commands import quickstart


@pytest.fixture
def parts(monkeypatch):
    """The three parts, which take time by the clock and do nothing; `n_converted` of 4,500 records, exit `code`."""
    parts = SimpleNamespace(done=[], n_converted=4500, code=0)
    clock = [0.0]
    monkeypatch.setattr(quickstart, "time", SimpleNamespace(monotonic=lambda: clock[0]))

    def part(name, seconds, result):
        def work(*_, **__):
            parts.done.append(name)
            clock[0] += seconds
            return result()

        return work

    made = part("recordings", 0.2, lambda: SimpleNamespace(n_converted=parts.n_converted, n_rows=4500))
    monkeypatch.setattr(quickstart, "convert", made)
    pretrained = part("pretraining", 0.3, lambda: parts.code)
    monkeypatch.setattr(quickstart, "pretrain", lambda config, run: (run.mkdir(exist_ok=True), pretrained())[1])
    monkeypatch.setattr(quickstart, "evaluate", part("evaluation", 0.1, lambda: None))
    return parts


def seconds_in(run) -> dict[str, float]:
    *shares, memory = json.loads((run / "quickstart.json").read_text())["rows"]
    assert 0.05 < memory["peak_memory_gib"] < 64
    return {row["part"]: row["seconds"] for row in shares}


def test_shares_and_memory_are_written_beside_the_run(tmp_path, parts):
    run = tmp_path / "run"
    assert quickstart.main([f"--workdir={run}"]) == 0
    assert {"command", "commit", "environment"} < json.loads((run / "quickstart.json").read_text()).keys()
    assert seconds_in(run) == {"recordings": 0.2, "pretraining": 0.3, "evaluation": 0.1}
    assert parts.done == ["recordings", "pretraining", "evaluation"]


def test_a_second_run_leaves_the_times_of_the_first(tmp_path, parts):
    run = tmp_path / "run"
    quickstart.main([f"--workdir={run}"])
    before = (run / "quickstart.json").read_bytes()
    parts.n_converted = 0
    assert quickstart.main([f"--workdir={run}"]) == 0
    assert (run / "quickstart.json").read_bytes() == before


def test_recordings_that_were_there_already_have_no_time(tmp_path, parts):
    parts.n_converted = 0
    quickstart.main([f"--workdir={tmp_path / 'run'}"])
    assert seconds_in(tmp_path / "run") == {"pretraining": 0.3, "evaluation": 0.1}


def test_a_pretraining_that_was_stopped_leaves_no_figures_and_its_rest_none_as_if_it_were_the_whole(tmp_path, parts):
    run, parts.code = tmp_path / "run", 75
    assert quickstart.main([f"--workdir={run}"]) == 75
    assert list(run.iterdir()) == []
    parts.code = 0
    assert quickstart.main([f"--workdir={run}"]) == 0
    assert list(run.iterdir()) == []
