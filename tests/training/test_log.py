"""A curve has no doubled and no broken line."""

import json

import pytest

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.training.log import MetricsLog, read_metrics
from tests.full_disk import files_of_at_most


def write(path, *steps):
    log = MetricsLog(path)
    for step in steps:
        log.write({"step": step, "loss": step / 7})
    return log


def test_lines_after_the_restored_step_are_cut_and_the_others_stay_as_they_were(tmp_path):
    path = tmp_path / "metrics.jsonl"
    log = write(path, 2, 4, 4, 6)
    lines = path.read_text().splitlines()
    log.cut_after(4)
    assert path.read_text().splitlines() == lines[:3]
    assert [p.name for p in tmp_path.iterdir()] == ["metrics.jsonl"]


def test_a_half_written_last_line_is_cut(tmp_path):
    path = tmp_path / "metrics.jsonl"
    log = write(path, 2, 4)
    whole = path.read_text()
    for length in range(1, 30):
        path.write_text(whole + (json.dumps({"step": 4, "loss": 0.123456789}) + "\n")[:length])
        log.cut_after(4)
        assert path.read_text() == whole


def test_from_scratch_everything_is_cut_and_no_file_is_no_error(tmp_path):
    log = write(tmp_path / "metrics.jsonl", 1)
    log.cut_after(0)
    assert read_metrics(log.path) == []
    MetricsLog(tmp_path / "none.jsonl").cut_after(0)
    assert not (tmp_path / "none.jsonl").exists()


def test_a_broken_line_within_is_named(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"step"\n{"step": 3}\n')
    with pytest.raises(CgdmerError, match=r"line 2 of .*metrics\.jsonl is no JSON"):
        read_metrics(path)


def test_lines_wait_while_the_disk_is_full_and_come_whole_when_there_is_room(tmp_path):
    log = write(tmp_path / "metrics.jsonl", 1)
    with files_of_at_most(len(log.path.read_bytes()) + 5):
        log.write({"step": 2, "loss": 0.5})
        log.write({"step": 3, "loss": 0.25})
        assert [record["step"] for record in read_metrics(log.path)] == [1]
        assert log.path.read_bytes().endswith(b"\n"), "no half line"
        with pytest.raises(CgdmerError, match="cannot be written"):
            log.close()
    log.write({"step": 4, "loss": 0.1})
    assert [record["step"] for record in read_metrics(log.path)] == [1, 2, 3, 4]


def test_a_log_that_cannot_be_written_is_one_sentence(tmp_path):
    with pytest.raises(CgdmerError, match="cannot be written"):
        MetricsLog(tmp_path).write({"step": 1})
