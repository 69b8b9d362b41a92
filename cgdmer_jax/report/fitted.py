"""The page of a model that was fitted on one's own labels: what a new patient may expect of it."""

from collections.abc import Mapping, Sequence

from cgdmer_jax.report.shell import document
from cgdmer_jax.report.tables import Row, cell, count_cell, facts_table, line, only, table

EXPECTED = (
    "Cross-validated: each recording was scored by a model that had seen no recording of its {who}. Intervals (95 %) "
    "are over {who}s, not over the choice of folds. A class with few positives has wide ones, and its figures mean "
    "little: scores of several folds are ranked together, which makes them a little too low there."
)
NOBODY = (
    " No column names the patients, so each recording stands for one: where a patient has several, these figures are "
    "too high."
)
SEEN = " The encoder was pretrained on {n:,} of these recordings, which may make the figures too high."
AT = (
    "Sensitivity and specificity at the threshold of highest F1, which was chosen on these very recordings: for new "
    "ones they will be somewhat lower."
)


def fitted_page(
    rows: Sequence[Row],
    names: Mapping[str, str],
    thresholds: Sequence[float | None],
    command: str,
    origin: Mapping[str, object],
) -> str:
    """HTML of a whole document; `names` are those of the classes by code, `thresholds` in the same order."""
    task = rows[0]["task"]
    named = origin["patients_named"]
    title = f"{task}: {origin['records']:,} recordings" + (f" of {origin['patients']:,} patients" if named else "")
    said = EXPECTED.format(who="patient" if named else "recording") + ("" if named else NOBODY)
    if n_seen := origin["seen_in_pretraining"]:
        said += SEEN.format(n=n_seen)
    macro = only(rows, {"class": "macro_ge10", "metric": "auroc"})
    body = [_class_line(rows, code, name, at) for (code, name), at in zip(names.items(), thresholds, strict=True)]
    if macro and macro["value"] is not None:
        auprc = only(rows, {"class": "macro_ge10", "metric": "auprc"})
        empty = '<td class="figure"></td>'
        cells = [empty, cell(macro), cell(auprc), *[empty] * 4]
        body.append(line(("", "mean of those with 10 positives"), cells, own=True))
    head = ["Code", "Class", "Positives", "AUROC", "AUPRC", "Brier", "Threshold", "Sensitivity", "Specificity"]
    return document(
        title,
        f"<p>{said}</p>",
        title,
        ["<h2>Figures</h2>\n" + table(AT, head, 2, body), "<h2>Run</h2>\n" + facts_table("How", {"Command": command})],
    )


def _class_line(rows: Sequence[Row], code: str, name: str, threshold: float | None) -> str:
    of = {row["metric"]: row for row in rows if row["class"] == code}
    cut = "n/a" if threshold is None else f"{threshold:.3f}"
    cells = [count_cell(of["auroc"]["n_positive"]), cell(of["auroc"]), cell(of["auprc"]), cell(of["brier"])]
    cells += [f'<td class="figure">{cut}</td>', cell(of.get("sensitivity")), cell(of.get("specificity"))]
    return line((code, name), cells, own=False)
