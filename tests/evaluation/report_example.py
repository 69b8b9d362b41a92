"""A whole report by the real writer: a synthetic recording, scores drawn at random, every part that makes it wide."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from cgdmer_jax.data.synthetic import dataset
from cgdmer_jax.data.synthetic.hearts import FINDINGS
from cgdmer_jax.metrics import bootstrap, results
from cgdmer_jax.report import ecg_paper, page
from cgdmer_jax.report.patient import Case, Finding, Neighbour, Neighbours, case_section
from tests.evaluation.test_results import SETTING

RATE = 100
LEAD_SETS = ("all", "I+II+III+aVR+aVL+aVF", "I+II+V2", "II", "I", "random9")


def example_rows() -> list[dict]:
    """Two encoders, their paired difference, a share, and missing leads (the widest table) of four tasks."""
    rng = np.random.default_rng(0)
    labels = rng.random((300, 3)) < np.array([0.5, 0.2, 0.1])
    labels[:, 2] = False
    weights = bootstrap.patient_weights(np.arange(300), 50, seed=0)

    def scored(skill: float, **changes):
        setting, scores = replace(SETTING, **changes), [rng.random(labels.shape) + skill * labels]
        classes = ("NORM", "MI<2", "RARE")
        return results.rows_for_scores(setting, scores, labels, classes, probabilities=False, weights=weights)

    own, floor = scored(0.6, method="cgdmer"), scored(0.1, method="random_weights")
    missing = [
        scored(0.3, evaluation="missing_leads", leads=leads, variant=variant, task=task).rows
        for task in ("super", "sub", "form", "rhythm")
        for leads in LEAD_SETS
        for variant in ("native", "zero_fill")
    ]
    share = results.plain_row(SETTING, "affirmed_share", "NORM", 0.912, n=300, n_positive=150)
    difference = results.paired_row(own, floor, variant="minus random_weights")
    return [*own.rows, *floor.rows, difference, share, *(row for rows in missing for row in rows)]


def example_signal() -> np.ndarray:
    """[12, 1000] mV of a synthetic patient."""
    return dataset.generate(1, 3, RATE).signal_mv[2].astype(np.float64)


def example_case(signal_mv: np.ndarray) -> Case:
    mask = np.ones(12, bool)
    mask[ecg_paper.LEADS.index("aVL")] = False
    names = list(FINDINGS.items())
    findings = [Finding("findings", code, name, 1 / (k + 2), 0.25, k == 2) for k, (code, name) in enumerate(names)]
    text = "sinusrhythmus. linkstyp. verdacht auf linksventrikuläre hypertrophie, sonst unauffällige kurve. " * 2
    near = [Neighbour(f"report {k}", text, 0.1 + 0.01 * k) for k in range(5)]
    return Case(
        svg=ecg_paper.ecg_page_svg(
            signal_mv, RATE, title="Record 7 of synthetic", subtitle="female, 63 years", lead_mask=mask
        ),
        findings=findings,
        remarks=("absent aVL", "gaps or clipped samples in V2, V3"),
        report=text,
        reports=Neighbours("the 812 distinct reports of folds 1-8 (trained on)", 0.97, near),
        recordings=Neighbours("the 3,522 of folds 1-8 (trained on)", 0.98, near),
        origin={"Encoder": "cgdmer, step 1,100", "This recording": "fold 10", "Command": "python -m " + "x" * 200},
    )


def write_example(path: Path, rows: list[dict]) -> None:
    """Title, store and a class name hold characters that HTML escapes."""
    signal_mv = example_signal()
    hidden = np.random.default_rng(1).random((12, 50)) < 0.5
    svg = ecg_paper.ecg_page_svg(
        signal_mv, RATE, title="Record 7 of synthetic", overlay_mv=signal_mv + 0.05, hidden=hidden
    )
    page.write_report(
        path,
        title="CG-DMER <nano>",
        facts={"Store": "synthetic & small", "Command": "python -m experiments.evaluate --run=" + "long/" * 40},
        rows=rows,
        own_method="cgdmer",
        curves={"Loss": {"training": "loss", "validation": "validation_loss"}},
        metrics=[{"step": i, "loss": 1 / (1 + i)} for i in range(9)] + [{"step": 9, "validation_loss": 0.3}],
        pages=[page.EcgPage(svg, "shaded: hidden")],
        more=[case_section(example_case(signal_mv)), "<h2>Extra &amp; more</h2>"],
    )
