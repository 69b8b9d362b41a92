"""A JSON published in results/ holds everything but the single classes, word for word, or these alone."""

from dataclasses import replace

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


def test_single_classes_alone_are_those_of_all_records_leads_and_labels(tmp_path):
    kept = [plain_row(SETTING, "auroc", name, 0.9, n=9, n_positive=4) for name in ("AFIB", "SR")]
    others = [
        plain_row(SETTING, "auroc", "macro_ge10", 0.75, n=9, n_positive=4),
        plain_row(SETTING, "brier", "AFIB", 0.1, n=9, n_positive=4),
        *(
            plain_row(replace(SETTING, **field), "auroc", "AFIB", 0.8, n=9, n_positive=4)
            for field in (
                {"group": "sex=female"},
                {"label_fraction": 0.1},
                {"evaluation": "missing_leads", "variant": "native", "leads": "II"},
                {"evaluation": "missing_leads", "variant": "native"},
            )
        ),
    ]
    write_results(tmp_path / "results.json", "x", [kept[0], *others, kept[1]], {"run": "x"})
    assert main([f"--results={tmp_path / 'results.json'}", f"--out={tmp_path / 'r.json'}", "--classes"]) == 0
    assert read_results(tmp_path / "r.json")["rows"] == kept
