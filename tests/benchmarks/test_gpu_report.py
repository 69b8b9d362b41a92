"""The GPU report tells every part: what it measured, or why it did not; a profile is read by kernel and by kind."""

import gzip
import json
import os
import time
from collections import Counter

import pytest

from benchmarks.gpu_report import Part, Running, parts
from benchmarks.profile_step import ALL, CPU_GROUPS, GROUPS, kernels_of, operations_of, table
from cgdmer_jax.errors import CgdmerError


def finished(part: Part, folder, seconds: float = 1800) -> dict:
    return Running(part, folder, dict(os.environ)).finish(time.monotonic() + seconds)


def test_a_part_gives_the_rows_that_its_last_command_wrote(tmp_path):
    source, result = tmp_path / "in.json", tmp_path / "out.json"
    source.write_text(json.dumps({"rows": [{"way": "ours"}, {"class": "AFIB"}, {"class": "macro_ge10"}]}))
    row = finished(Part("one", (("platform",), ("json.tool", str(source), str(result))), result), tmp_path)
    assert row["rows"] == [{"way": "ours"}, {"class": "macro_ge10"}] and "failed" not in row


def test_a_part_that_fails_is_told_with_its_last_lines_and_runs_no_further_command(tmp_path):
    result = tmp_path / "out.json"
    row = finished(Part("two", (("no_such_module",), ("platform",)), result), tmp_path)
    assert row["failed"] == "exit code 1" and "no_such_module" in row["last_lines"][-1] and "rows" not in row


def test_a_part_that_takes_too_long_is_ended_and_told(tmp_path):
    """It would serve for ever."""
    row = finished(Part("three", (("http.server", "0"),)), tmp_path, seconds=1)
    assert row["failed"] == "out of time"


def test_a_part_without_its_file_has_failed(tmp_path):
    assert "no " in finished(Part("four", (("platform",),), tmp_path / "out.json"), tmp_path)["failed"]


def test_the_parts_of_the_report_are_commands_that_exist(tmp_path):
    for smoke in (False, True):
        together, alone = parts(tmp_path, "h100", smoke)
        for part in (*together, *alone):
            for module, *words in part.commands:
                assert module.split(".")[0] in ("benchmarks", "experiments") and words


def trace(folder, events):
    names = [
        {"ph": "M", "pid": 1, "name": "process_name", "args": {"name": "/device:GPU:0"}},
        {"ph": "M", "pid": 1, "tid": 3, "name": "thread_name", "args": {"name": "Stream #3(Compute)"}},
        {"ph": "M", "pid": 1, "tid": 4, "name": "thread_name", "args": {"name": "XLA Ops"}},
        {"ph": "M", "pid": 2, "name": "process_name", "args": {"name": "/host:CPU"}},
    ]
    (folder / "t.trace.json.gz").write_bytes(gzip.compress(json.dumps({"traceEvents": names + events}).encode()))
    return folder


def event(name, microseconds, pid=1, tid=3):
    return {"ph": "X", "pid": pid, "tid": tid, "name": name, "dur": microseconds}


def test_only_kernels_of_the_device_count_and_each_once(tmp_path):
    events = [event("nvjet_a", 20), event("nvjet_a", 10), event("nvjet_a", 30, tid=4), event("python", 99, pid=2)]
    assert kernels_of(trace(tmp_path, events)) == Counter({"nvjet_a": 30})


def test_a_trace_without_kernels_is_refused(tmp_path):
    with pytest.raises(CgdmerError, match="no kernels of a device"):
        kernels_of(trace(tmp_path, [event("python", 99, pid=2)]))
    with pytest.raises(CgdmerError, match="the profiler left no"):
        kernels_of(tmp_path / "elsewhere")


COMPILED = """
  %fusion.7 = f32[8,4]{1,0} fusion(%a), metadata={op_name="jit(step)/jvp(Net)/encoder/blocks/mlp/up/dot_general"}
  ROOT %dot.9 = f32[4] dot(%b, %c), metadata={op_name="jit(step)/transpose(jvp(Net))/encoder/attention/out/dot_general"}
  %add.1 = f32[4]{0} add(%b, %c), metadata={op_name="jit(step)/add"}
"""


def test_operations_of_a_cpu_are_told_by_the_part_of_the_model_that_they_compute(tmp_path):
    ran = [("fusion.7", 30), ("fusion.7", 10), ("dot.9", 20), ("add.1", 5), ("copy.2", 5)]
    events = [event(name, time, pid=2) | {"args": {"hlo_op": name}} for name, time in ran]
    found = operations_of(trace(tmp_path, [*events, event("python", 99, pid=2)]), COMPILED)
    assert found == Counter(
        {"mlp/up/dot_general": 40, "attention/out/dot_general, backward": 20, "add": 5, "copy.2": 5}
    )
    groups = {row["group"]: row["share"] for row in table(found, steps=1, most=0, groups=CPU_GROUPS)}
    assert groups["matrix products of the MLPs"] == 0.5714
    assert groups["matrix products of attention"] == 0.2857


def test_groups_share_all_of_the_time_of_a_step():
    kernels = Counter({"nvjet_sm90": 4000, "loop_add_fusion": 2000, "cudnn_flash_sdpa_bprop": 1000, "MemcpyD2D": 1000})
    rows = table(kernels, steps=2, most=1, groups=GROUPS)
    groups = {row["group"]: row["milliseconds"] for row in rows if "group" in row}
    assert groups == {
        ALL: 4.0,
        "matrix product": 2.0,
        "fused elementwise and reductions": 1.0,
        "attention": 0.5,
        "copy": 0.5,
    }
    assert rows[-1] == {"name": "nvjet_sm90", "milliseconds": 2.0, "share": 0.5}
