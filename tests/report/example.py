"""A whole evaluation folder and its page: a synthetic recording, scores drawn at random, all that makes it wide."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from cgdmer_jax.data.synthetic import dataset
from cgdmer_jax.data.synthetic.hearts import FINDINGS
from cgdmer_jax.metrics import bootstrap, results
from cgdmer_jax.metrics_file import line_of
from cgdmer_jax.report.contents import (
    Case,
    Contents,
    Excerpt,
    Finding,
    Neighbour,
    Neighbours,
    ShownReconstruction,
    Tracing,
    write_contents,
)
from cgdmer_jax.report.ecg_paper import LEADS
from cgdmer_jax.report.make import make_report
from cgdmer_jax.waveform.waves import FoundWave
from cgdmer_jax.whole_file import sha256_of
from tests.metrics.test_results import SETTING

RATE = 100
LEAD_SETS = ("all", "random9", "I+II+III+aVR+aVL+aVF", "I+II+V2", "I+II", "II", "I")


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
    difference = results.paired_row(own, floor, variant="minus_random_weights")
    return [*own.rows, *floor.rows, difference, share, *(row for rows in missing for row in rows)]


def example_signal() -> np.ndarray:
    """[12, 1000] whole microvolts, in mV, of a synthetic patient."""
    return _signal_uv() * 1e-3


def _signal_uv() -> np.ndarray:
    return np.round(dataset.generate(1, 3, RATE).signal_mv[2] * 1e3).astype(np.int16)


def example_tracing(*absent: str) -> Tracing:
    mask = ~np.isin(LEADS, absent)
    return Tracing("Record 7 of synthetic", "female, 63 years", float(RATE), _signal_uv(), mask)


def example_case() -> Case:
    names = enumerate(FINDINGS.items())
    findings = tuple(Finding("findings", code, name, 1 / (k + 2), 0.25, k == 2) for k, (code, name) in names)
    text = "sinusrhythmus. linkstyp. verdacht auf linksventrikuläre hypertrophie, sonst unauffällige kurve. " * 2
    near = tuple(Neighbour(f"report {k}", text, 0.1 + 0.01 * k) for k in range(5))
    excerpt = Excerpt(float(RATE), ("II", "V1", "V5"), _signal_uv()[[1, 6, 10]])
    alike = tuple(
        Neighbour(f"S<{k}>", "left ventricular hypertrophy (LVH); sinus rhythm (SR)", 0.1 + 0.01 * k, excerpt, text)
        for k in range(5)
    )
    return Case(
        tracing=example_tracing("aVL"),
        findings=findings,
        remarks=("absent aVL", "gaps or clipped samples in V2, V3"),
        report=text,
        reports=Neighbours("the 812 distinct reports of folds 1-8 (trained on)", 0.97, near),
        recordings=Neighbours("the 3,522 of folds 1-8 (trained on)", 0.98, alike),
        origin={"Encoder": "cgdmer, step 1,100", "This recording": "fold 10", "Command": "python -m " + "x" * 200},
        record_id="7",
        heart_rate=104.4,
        waves={"II": (FoundWave("P", 0.3, 0.4), FoundWave("QRS", 0.45, 0.55), FoundWave("T", 2.4, 2.6)), "V1": ()},
    )


def example_contents(results: Path) -> Contents:
    """Title, store and a class name hold characters that HTML escapes."""
    tracing = example_tracing()
    hidden = np.random.default_rng(1).random((12, 50)) < 0.5
    return Contents(
        results_sha256=sha256_of(results),
        version="0.0",
        title="CG-DMER <nano>",
        own_method="cgdmer",
        facts={"Store": "synthetic & small", "Prompts": "long/" * 40},
        case=example_case(),
        reconstructions=(ShownReconstruction(tracing, (tracing.signal_mv + 0.05).astype(np.float32), hidden),),
        class_names={"super": {"NORM": "normal <ECG>", "MI<2": "myocardial infarction " + "of several walls " * 4}},
    )


def write_example(run: Path, rows: list[dict]) -> Path:
    """The folder of an evaluation in this run folder, with its report.html."""
    folder = run / "evaluation/synthetic/test"
    file = folder / results.RESULTS
    command = "python -m experiments.evaluate --run=" + "long/" * 40
    results.write_results(file, command, rows, {"left_out": ["task <sub>: the store has none"]})
    metrics = [{"step": i, "loss": 1 / (1 + i)} for i in range(9)]
    metrics += [{"step": 9, "loss": None, "validation_loss": 0.3}]
    (run / "metrics.jsonl").write_bytes(b"".join(map(line_of, metrics)))
    write_contents(folder, example_contents(file))
    make_report(folder)
    return folder
