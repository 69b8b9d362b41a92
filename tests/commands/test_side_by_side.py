"""One table of several evaluations: order, empty cells, and what is no comparison."""

from dataclasses import replace

import pytest

from cgdmer_jax.commands.side_by_side import main
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.metrics.protocols import no_signal_rows
from cgdmer_jax.metrics.results import Setting, plain_row, write_results

CLEAN = Setting("ptbxl", "validation", "cgdmer", "nano", "main", 8, "probe", "super", "in", "labels", False)
MERL = replace(CLEAN, protocol="merl")


@pytest.fixture
def write(tmp_path):
    def of_rows(name: str, *rows: dict) -> str:
        write_results(tmp_path / name, "a command", list(rows), {"run": "x"})
        return str(tmp_path / name)

    return of_rows


def _row(setting: Setting, value: float) -> dict:
    klass = "macro_ge10" if setting.protocol == "clean" else "macro_all"
    return plain_row(setting, "auroc", klass, value, n=9, n_positive=4)


def test_runs_stand_beneath_each_other_in_each_protocol_probes_first(write, capsys):
    other = {"run": "theirs", "method": "merl"}
    text = replace(CLEAN, evaluation="zero_shot", variant="both")
    half = replace(MERL, label_fraction=0.1)
    row = _row(MERL, 0.5)
    ours = write("a.json", row, _row(half, 0.4), *no_signal_rows([row], "super", {"csn": "csn"}))
    files = [
        ours,
        write("b.json", _row(CLEAN, 0.7), _row(text, 0.6)),
        write("c.json", _row(replace(CLEAN, **other), 0.8)),
    ]
    assert main(["--results", *files]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "| protocol | evaluation | run | features | super | csn |",
        "| --- | --- | --- | --- | --- | --- |",
        "| clean | probe | nano | cgdmer · main | 0.700 | n/a |",
        "| clean | probe | theirs | merl · main | 0.800 | n/a |",
        "| clean | zero shot | nano | cgdmer · main · both | 0.600 | n/a |",
        "| merl | probe | nano | cgdmer · main | 0.500 | no signals |",
        "| merl | probe | nano | cgdmer · main · 10% of labels | 0.400 | n/a |",
    ]


def test_two_splits_are_no_comparison(write):
    files = [write("a.json", _row(CLEAN, 0.7)), write("b.json", _row(replace(CLEAN, split="test"), 0.7))]
    with pytest.raises(CgdmerError, match="results are of ptbxl test, ptbxl validation; give those of one split"):
        main(["--results", *files])
