"""The page of a model that was fitted on one's own labels: what a new patient may expect of it."""

from collections.abc import Mapping, Sequence

from cgdmer_jax.report.shell import document
from cgdmer_jax.report.tables import Row, cell, count_cell, facts_table, line, only, select, table

MEAN = "macro_ge10"
EXPECTED = (
    "Cross-validated: each recording was scored by a model that had {unseen}. The {who}s were "
    "put into {folds} folds {draws} times, differently each time. Figures are means over these draws, intervals (95 %) "
    "are over {who}s and draws together, and beside them stand the lowest and the highest AUROC of a single draw. A "
    "class with few positives has wide ones, and its figures mean little: scores of several folds are ranked together, "
    "which makes them a little too low there. Calibration and thresholds are of the scores of all draws."
)
NOBODY = (
    " No column names the patients, so each recording stands for one: where a patient has several, these figures are "
    "too high."
)
LEFT_OUT = " {n:,} recordings of the table could not be used and took no part; store/rejected.csv says why."
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
    who, unseen = ("patient", "seen no recording of its patient") if named else ("recording", "not seen it")
    said = EXPECTED.format(who=who, unseen=unseen, folds=origin["folds"], draws=origin["draws_of_folds"])
    said += "" if named else NOBODY
    if n_left_out := origin["records_left_out"]:
        said += LEFT_OUT.format(n=n_left_out)
    if n_seen := origin["seen_in_pretraining"]:
        said += SEEN.format(n=n_seen)
    macro = only(rows, {"class": MEAN, "metric": "auroc", "variant": None})
    body = [_class_line(rows, code, name, at) for (code, name), at in zip(names.items(), thresholds, strict=True)]
    if macro and macro["value"] is not None:
        auprc = only(rows, {"class": MEAN, "metric": "auprc", "variant": None})
        empty = '<td class="figure"></td>'
        cells = [empty, cell(macro), _plain_cell(over_draws(rows, MEAN)), cell(auprc), *[empty] * 4]
        body.append(line(("", "mean of those with 10 positives"), cells, own=True))
    head = ["Code", "Class", "Positives", "AUROC", "in single draws", "AUPRC", "Brier"]
    head += ["Threshold", "Sensitivity", "Specificity"]
    return document(
        title,
        f"<p>{said}</p>",
        title,
        ["<h2>Figures</h2>\n" + table(AT, head, 2, body), "<h2>Run</h2>\n" + facts_table("How", {"Command": command})],
    )


def over_draws(rows: Sequence[Row], code: str) -> str | None:
    """Lowest and highest AUROC of a class in single draws of the folds; None where it has no figure."""
    of_draws = [row["value"] for row in select(rows, {"class": code, "metric": "auroc"}) if row["variant"] is not None]
    found = [value for value in of_draws if value is not None]
    return f"{min(found):.3f} to {max(found):.3f}" if found else None


def _class_line(rows: Sequence[Row], code: str, name: str, threshold: float | None) -> str:
    of = {row["metric"]: row for row in select(rows, {"class": code, "variant": None})}
    cells = [count_cell(of["auroc"]["n_positive"]), cell(of["auroc"]), _plain_cell(over_draws(rows, code))]
    cells += [cell(of["auprc"]), cell(of["brier"]), _plain_cell(None if threshold is None else f"{threshold:.3f}")]
    cells += [cell(of.get("sensitivity")), cell(of.get("specificity"))]
    return line((code, name), cells, own=False)


def _plain_cell(words: str | None) -> str:
    return f'<td class="figure">{"n/a" if words is None else words}</td>'
