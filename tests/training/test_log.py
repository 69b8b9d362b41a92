"""A curve has no doubled and no broken line."""

import json
from types import SimpleNamespace

import jax.numpy as jnp
import pytest

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.metrics_file import read_metrics
from cgdmer_jax.training.log import MetricsLog, StepLogger, untimed
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
    with pytest.raises(CgdmerError, match=r"line 2 of .*metrics\.jsonl is not valid JSON"):
        read_metrics(path)


def test_every_single_bit_of_the_file_is_named_or_harmless(tmp_path):
    path = tmp_path / "metrics.jsonl"
    log = MetricsLog(path)
    log.write({"step": 1, "loss": 0.5, "rate": None})
    log.write({"step": 2, "validation_loss": float("inf")})
    content, records = path.read_bytes(), read_metrics(path)
    assert records == [{"step": 1, "loss": 0.5, "rate": None}, {"step": 2, "validation_loss": float("inf")}]
    for place in range(8 * len(content)):
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << place % 8
        path.write_bytes(damaged)
        with pytest.raises(CgdmerError, match=r"line [12] of .*metrics\.jsonl .* correct or delete that line"):
            read_metrics(path)


def test_lines_of_earlier_versions_without_checksum_are_read(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1, "loss": 0.25}\n{"step": 2}\n')
    MetricsLog(path).write({"step": 3, "loss": 0.125})
    records = [{"step": 1, "loss": 0.25}, {"step": 2}, {"step": 3, "loss": 0.125}]
    assert read_metrics(path) == records
    MetricsLog(path).cut_after(2)
    assert read_metrics(path) == records[:2]


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


def test_speed_and_goodput_are_of_the_seconds_between_logged_steps(tmp_path, monkeypatch):
    """Compiling until 10, ten steps of 8 records until 14; then validating until 19, ten steps until 24."""
    clock = iter([0.0, 10.0, 14.0, 19.0, 24.0])
    monkeypatch.setattr("cgdmer_jax.training.log.time", SimpleNamespace(monotonic=lambda: next(clock)))
    logger = StepLogger(MetricsLog(tmp_path / "metrics.jsonl"), lambda step: 0.1, share_a_record=0.01)
    for step in (1, 11, 21):
        logger.hold(step, {"loss": jnp.float32(0.5), "first_bad_step": jnp.int32(-1)}, batch_size=8)
        logger.flush()
        if step == 11:
            logger.restart_clock(step)
    first, second, third = read_metrics(tmp_path / "metrics.jsonl")
    assert [r["records_per_second"] for r in (first, second, third)] == [None, 20.0, 16.0]
    assert "model_flops_utilisation" not in first and second["model_flops_utilisation"] == 0.2
    assert [r["goodput"] for r in (first, second, third)] == [0, round(4 / 14, 4), round(9 / 24, 4)]
    assert untimed(second).keys() == {"step", "loss", "learning_rate"}
