"""A JSON published in results/ holds everything but the single classes, word for word."""

from cgdmer_jax.commands.publish import main
from cgdmer_jax.metrics.results import Setting, plain_row, read_results, write_results

SETTING = Setting("synthetic", "test", "toy", "run", "main", 1, "probe", "findings", "in", "labels", False)


def test_single_classes_are_left_out_and_the_rest_is_as_it_was(tmp_path):
    kept = [
        plain_row(SETTING, "auroc", "macro_ge10", 0.75, n=9, n_positive=4),
        plain_row(SETTING, "affirmed_share", "AFIB", 0.5, n=9, n_positive=4),
        plain_row(SETTING, "recall_at_10", "all", 0.25, n=9, n_positive=4),
    ]
    single = plain_row(SETTING, "auroc", "AFIB", 0.9, n=9, n_positive=4)
    line = f"python -m experiments.evaluate --run={tmp_path}/run"  # as an older version wrote it
    write_results(tmp_path / "results.json", line, [kept[0], single, *kept[1:]], {"run": "x"})
    assert main([f"--results={tmp_path / 'results.json'}", f"--out={tmp_path / 'out/r.json'}"]) == 0
    before, after = read_results(tmp_path / "results.json"), read_results(tmp_path / "out/r.json")
    assert after == before | {"rows": kept, "command": "python -m experiments.evaluate --run=.../run"}
