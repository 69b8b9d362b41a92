"""The README's first command leaves the figures that the README shows."""

import json
from types import SimpleNamespace

from cgdmer_jax.commands import quickstart


def test_shares_and_memory_are_written_beside_the_run(tmp_path, monkeypatch):
    done, clock = [], [0.0]
    monkeypatch.setattr(quickstart, "time", SimpleNamespace(monotonic=lambda: clock[0]))

    def part(name, seconds, result=None):
        def work(*_, **__):
            done.append(name)
            clock[0] += seconds
            return result

        return work

    monkeypatch.setattr(quickstart, "convert", part("recordings", 0.0))
    monkeypatch.setattr(quickstart, "pretrain", part("pretraining", 0.3, 0))
    monkeypatch.setattr(quickstart, "evaluate", part("evaluation", 0.1))
    run = tmp_path / "run"
    assert quickstart.main([f"--workdir={run}"]) == 0
    document = json.loads((run / "quickstart.json").read_text())
    assert {"command", "commit", "environment"} < document.keys()
    *shares, memory = document["rows"]
    assert [row["part"] for row in shares] == done == ["recordings", "pretraining", "evaluation"]
    assert [row["seconds"] for row in shares][1:] == [0.3, 0.1]
    assert 0.05 < memory["peak_memory_gib"] < 64


def test_a_pretraining_that_was_stopped_leaves_no_figures(tmp_path, monkeypatch):
    monkeypatch.setattr(quickstart, "convert", lambda *_, **__: None)
    monkeypatch.setattr(quickstart, "pretrain", lambda *_, **__: 75)
    assert quickstart.main([f"--workdir={tmp_path}"]) == 75
    assert list(tmp_path.iterdir()) == []
