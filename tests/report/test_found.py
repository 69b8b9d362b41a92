"""The two sentences under the title: the headline probe beside the baselines, right whatever parts were run."""

import re
from dataclasses import replace

import numpy as np
import pytest

from cgdmer_jax.metrics import bootstrap, results
from cgdmer_jax.metrics.protocols import no_signal_rows
from cgdmer_jax.report.found import NO_BASELINE, NONE_DEFINED, NOTHING, found, found_section, headline
from tests.metrics.test_results import SETTING

WEIGHTS = bootstrap.patient_weights(np.arange(300), 50, seed=0)
LABELS = np.random.default_rng(0).random((300, 2)) < np.array([0.5, 0.2])


def scored(skill: float, labels: np.ndarray = LABELS, *, draw: int = 1, **changes: object) -> results.Scored:
    setting, noise = replace(SETTING, **changes), np.random.default_rng(draw).random(labels.shape)
    scores = [noise + skill * labels]
    return results.rows_for_scores(setting, scores, labels, ("A", "B"), probabilities=False, weights=WEIGHTS)


def macro(one: results.Scored, field: str = "value") -> str:
    (row,) = [row for row in one.rows if (row["class"], row["metric"]) == ("macro_ge10", "auroc")]
    return f"{row[field]:.3f}"


def with_difference(own: results.Scored, floor: results.Scored) -> tuple[list[dict], dict]:
    difference = results.paired_row(own, floor, variant=f"minus_{floor.setting.method}")
    return [*own.rows, *floor.rows, difference], difference


def test_a_better_baseline_is_told_with_its_paired_interval():
    own, floor = scored(0.2), scored(0.6, method="random_convolutions", feature="ridge")
    rows, difference = with_difference(own, floor)
    assert found(rows, "cgdmer") == [
        f"Probe on `main`: macro AUROC {macro(own)} [{macro(own, 'low')}, {macro(own, 'high')}] on super.",
        f"Random convolutions reach {macro(floor)}; random convolutions are better by {-difference['value']:.3f} "
        f"[{-difference['high']:.3f}, {-difference['low']:.3f}].",
    ]


def test_of_several_baselines_the_highest_stands_beside_the_probe():
    own = scored(0.8)
    weak, strong = scored(0.1, method="random_weights"), scored(0.3, method="hand36", feature="hand36")
    rows, _ = with_difference(own, weak)
    more, difference = with_difference(own, strong)
    _, second = found([*rows, *more[len(own.rows) :]], "cgdmer")
    by = f"{difference['value']:.3f} [{difference['low']:.3f}, {difference['high']:.3f}]"
    assert second == (
        f"Random weights reach {macro(weak)} and 36 amplitudes {macro(strong)}; the probe is better than "
        f"36 amplitudes, the highest of them, by {by}."
    )


def test_a_difference_whose_interval_holds_0_is_no_victory():
    own, floor = scored(0.3), scored(0.3, draw=2, method="random_weights")
    rows, difference = with_difference(own, floor)
    assert difference["low"] < 0 < difference["high"]
    by = f"{-difference['value']:+.3f} [{-difference['high']:+.3f}, {-difference['low']:+.3f}]"
    _, second = found(rows, "cgdmer")
    assert second.endswith(f"random weights cannot be told from the probe ({by}).") and "better" not in second


def test_several_tasks_have_their_figures_in_one_order_and_share_an_answer():
    tasks = ("super", "form")
    pairs = [(scored(0.8, task=t), scored(0.1 + 0.2 * (t == "form"), method="random_weights", task=t)) for t in tasks]
    rows = [row for own, floor in pairs for row in with_difference(own, floor)[0]]
    first, second = found(rows, "cgdmer")
    assert first.count(" on super and ") == 1 and first.endswith(" on form.")
    assert second.startswith(
        f"Random weights reach {macro(pairs[0][1])} and {macro(pairs[1][1])} (tasks in this order)"
    )
    assert second.count("the probe is better than random weights by") == 1 and second.endswith(" on form.")


def test_without_a_baseline_the_sentence_says_that_the_figure_says_little():
    assert found(scored(0.5).rows, "cgdmer")[1] == NO_BASELINE


def test_without_paired_rows_the_difference_has_no_interval():
    own, floor = scored(0.8), scored(0.1, method="random_weights")
    _, second = found([*own.rows, *floor.rows], "cgdmer")
    assert second.endswith(f"lower by {float(macro(own)) - float(macro(floor)):.3f}, without an interval.")


def test_too_few_positives_read_as_undefined():
    labels = np.zeros((300, 2), bool)
    labels[:5] = True
    own, floor = scored(0.5, labels), scored(0.1, labels, method="random_weights")
    told = found([*own.rows, *floor.rows], "cgdmer")
    why = "undefined (a class needs 10 positives among the scored records and some to fit on)"
    assert told == [f"Probe on `main`: macro AUROC {why} on super.", NONE_DEFINED]


def test_fewer_labels_groups_missing_leads_and_other_features_change_nothing():
    own, floor = scored(0.8), scored(0.1, method="random_weights")
    rows, _ = with_difference(own, floor)
    others = [
        scored(0.9, feature="specific"),
        scored(0.9, label_fraction=0.1),
        scored(0.9, label_fraction=0.1, method="random_weights"),
        scored(0.9, group="sex=female"),
        scored(0.9, evaluation="missing_leads", leads="II", variant="native"),
        scored(0.9, evaluation="zero_shot", feature="aligned", variant="en"),
    ]
    assert found([*(row for one in others for row in one.rows), *rows], "cgdmer") == found(rows, "cgdmer")


def test_protocol_merl_is_named_and_tasks_without_signals_and_the_best_epoch_are_no_figures():
    own = [scored(0.8, protocol="merl", variant=variant).rows for variant in (None, "max_test")]
    floor = scored(0.1, protocol="merl", method="random_weights").rows
    rows = [*own[0], *own[1], *floor]
    rows += no_signal_rows(rows, "super", {"csn": "csn"})
    first, second = found(rows, "cgdmer")
    assert first.startswith("Protocol merl: probe on `main`: macro AUROC") and "csn" not in first + second
    assert second.startswith("Random weights reach")


def test_both_protocols_have_two_sentences_each():
    rows = [row for p in ("clean", "merl") for row in scored(0.8, protocol=p).rows]
    told = found(rows, "cgdmer")
    assert len(told) == 4 and told[2].startswith("Protocol merl")


def test_a_store_without_tasks_is_told_by_its_retrieval():
    setting = replace(SETTING, evaluation="retrieval", task="reports", feature="aligned", variant="ecg_to_text")

    def row(value: float, **changes: object) -> dict:
        return results.plain_row(replace(setting, **changes), "recall_at_10", "all", value, n=80, n_positive=90)

    first, second = found([row(0.5), row(0.125, method="chance", feature=None)], "cgdmer")
    assert first == (
        "Retrieval: recall at 10 is 0.500, the share of 90 recordings whose own report is among the ten nearest of 80."
    )
    assert second == "For comparison: chance 0.125."


def test_records_that_were_trained_on_are_told():
    assert "were trained on" in found(scored(0.5, seen_in_training=True).rows, "cgdmer")[0]


@pytest.mark.parametrize("rows", [[], scored(0.5, evaluation="reconstruction").rows])
def test_nothing_scored_is_told(rows):
    assert found(rows, "cgdmer") == [NOTHING]


def test_the_page_escapes_names_and_marks_the_feature():
    html = found_section(scored(0.5, task="<super>").rows, "cgdmer")
    assert "<code>main</code>" in html and "&lt;super&gt;" in html and "`" not in html


def test_the_headline_is_the_verdict_in_a_few_words():
    own, floor = scored(0.2), scored(0.6, method="random_convolutions", feature="ridge")
    rows, difference = with_difference(own, floor)
    assert headline(rows, "cgdmer") == f"random convolutions are better by {-difference['value']:.3f}"
    pairs = [(scored(0.8, task=t), scored(0.1, method="hand36", feature="hand36", task=t)) for t in ("sub", "form")]
    alone = with_difference(scored(0.8), scored(0.1, method="hand36", feature="hand36"))[0]
    weaker = scored(0.01, method="random_weights").rows
    assert re.fullmatch(r"the probe is better than 36 amplitudes by 0\.\d{3}", headline([*alone, *weaker], "cgdmer"))
    several = [*rows, *(row for pair in pairs for row in with_difference(*pair)[0])]
    assert headline(several, "cgdmer") == (
        "random convolutions are better on super; the probe is better than 36 amplitudes on sub and form"
    )


@pytest.mark.parametrize("rows", [[], scored(0.5).rows, scored(0.5, evaluation="reconstruction").rows])
def test_without_a_comparison_there_is_no_headline(rows):
    assert headline(rows, "cgdmer") == ""
