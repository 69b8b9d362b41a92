"""The report's sections beyond its first table, each made from its rows and absent without them."""

from collections.abc import Sequence

from cgdmer_jax.metrics.features import BESIDE
from cgdmer_jax.metrics.metrics import ENOUGH_POSITIVES
from cgdmer_jax.report.first_table import FIRST, WHOLE
from cgdmer_jax.report.plots import Bar, Point, bar_chart, bar_ticks, category_chart
from cgdmer_jax.report.tables import (
    ClassNames,
    Row,
    cell,
    coded,
    count_cell,
    line,
    name_of,
    only,
    plain,
    select,
    table,
    values_of,
)

MACRO = {"class": "macro_ge10", "metric": "auroc"}
FEWER = {"protocol": "clean", "evaluation": "probe", "group": "all", "class": "macro_ge10"}  # merl's: first table
CLASSES = (
    "AUROC of each class with its 95 % interval, all on one axis; the dashed line at 0.5 is chance, and bars start "
    f"there. n+ is the number of positives scored; with fewer than {ENOUGH_POSITIVES} of them no interval is drawn."
)
LIMB_LEADS = "I+II+III+aVR+aVL+aVF"


def sections(rows: Sequence[Row], own_method: str, names: ClassNames) -> list[str]:
    return [
        _classes(rows, own_method, names),
        _retrieval(select(rows, {"evaluation": "retrieval"}), own_method),
        _missing_leads(select(rows, {"evaluation": "missing_leads"} | MACRO)),
        _reconstruction(select(rows, {"evaluation": "reconstruction"}), own_method),
        _groups(select(rows, {"evaluation": "probe", "method": own_method, "label_fraction": 1.0})),
        _label_fractions(select(rows, FEWER), own_method),
    ]


def _classes(rows, own_method, names):
    """One chart per evaluation, feature and task of the own method for which intervals were computed; one axis."""
    shown = [
        row
        for row in select(rows, WHOLE | {"metric": "auroc", "method": own_method})
        if row["evaluation"] in FIRST
        and not row["class"].startswith("macro_")
        and not str(row["feature"]).endswith(BESIDE)
    ]
    groups: dict[str, list[dict]] = {}
    for row in shown:
        title = f"{row['task']}: {plain(row['evaluation'])}, {name_of(row)}"
        groups.setdefault(title, []).append(row)
    charts = {
        title: [_bar(row, names) for row in of_title]
        for title, of_title in groups.items()
        if any(row["low"] is not None for row in of_title)
    }
    ticks = bar_ticks([bar for bars in charts.values() for bar in bars])
    drawn = "".join(f"<figure>{bar_chart(bars, ticks, title=title)}</figure>" for title, bars in charts.items())
    return f'<h2>Classes</h2>\n<p>{CLASSES}</p><div class="plots">{drawn}</div>' if drawn else ""


def _bar(row, names):
    enough = row["n_positive"] >= ENOUGH_POSITIVES
    low, high = (row["low"], row["high"]) if enough else (None, None)
    return Bar(coded(names, row["task"], row["class"]), row["value"], low, high, f"n+ {row['n_positive']:,}")


def _retrieval(rows, own_method):
    metrics = values_of(rows, "metric")
    body = []
    for variant in values_of(rows, "variant"):
        for method in values_of(rows, "method"):
            of_metric = {row["metric"]: row for row in select(rows, {"variant": variant, "method": method})}
            if of_metric:
                cells = [cell(of_metric.get(m), digits=1 if m == "median_rank" else 3) for m in metrics]
                some = next(iter(of_metric.values()))
                counts = [count_cell(some["n_positive"]), count_cell(some["n"])]
                body.append(line((plain(variant), plain(method)), counts + cells, own=method == own_method))
    caption = "Each distinct report once; a hit of a report is any recording that has it; rank 1 is the first"
    head = ["Direction", "Encoder", "Queries", "Gallery", *(plain(metric).capitalize() for metric in metrics)]
    return "<h2>Retrieval</h2>\n" + table(caption, head, 2, body) if body else ""


def _missing_leads(rows):
    if not rows:
        return ""
    leads, tasks, variants = (values_of(rows, field) for field in ("leads", "task", "variant"))
    names = [{"all": "12 leads", LIMB_LEADS: "6 limb leads"}.get(name, plain(name)) for name in leads]
    charts, body = [], []
    for task in tasks:
        series = {}
        for variant in variants:
            found = [only(rows, {"task": task, "variant": variant, "leads": some}) for some in leads]
            series[plain(variant)] = [Point(r["value"], r["low"], r["high"]) if r else Point() for r in found]
            body.append(line((task, plain(variant)), [cell(row) for row in found], own=False))
        charts.append(f"<figure>{category_chart(names, series, title=f'{task}: macro AUROC')}</figure>")
    caption = (
        "The probe was fitted on all leads; macro AUROC when the encoder is given these. native: the others marked "
        "absent; zero fill: at 0 mV, marked recorded; random9: three leads taken away at random, mean of three draws"
    )
    shown = table(caption, ["Task", "Other leads", *names], 2, body)
    return f'<h2>Missing leads</h2>\n{shown}\n<div class="plots">{"".join(charts)}</div>'


def _reconstruction(rows, own_method):
    metrics = values_of(rows, "metric")
    body = []
    for strategy in values_of(rows, "variant"):
        for kind in values_of(rows, "class"):
            of_kind = select(rows, {"variant": strategy, "class": kind})
            for method in values_of(of_kind, "method"):
                found = [only(of_kind, {"method": method, "metric": metric}) for metric in metrics]
                cells = [
                    cell(r, signed="minus" in m) if r else "<td></td>" for r, m in zip(found, metrics, strict=True)
                ]
                hidden = [count_cell(found[0]["n_positive"])]
                body.append(line((strategy, kind, plain(method)), hidden + cells, own=method == own_method))
    caption = (
        "Error over hidden patches, scale from visible samples only. derivable: a limb lead while two others are "
        "visible; linear: the Gaussian conditional mean from the other leads' same samples, or from all visible "
        "samples up to a patch away"
    )
    head = ["Masking", "Hidden", "Method", "Patches", *(plain(m).replace("mv", "(mV)").capitalize() for m in metrics)]
    return "<h2>Reconstruction</h2>\n" + table(caption, head, 3, body) if body else ""


def _groups(rows):
    """The headline feature: the only one with rows of groups."""
    features = values_of([row for row in rows if row["group"] != "all"], "feature")
    rows = [row for row in rows if row["feature"] in features]
    body = []
    for task in values_of(rows, "task"):
        of_task = select(rows, {"task": task})
        for group in values_of(of_task, "group"):
            of_group = select(of_task, {"group": group})
            found = [only(of_group, {"class": "macro_ge10", "metric": m}) for m in ("auroc", "brier", "ece")]
            classes = {r["class"] for r in of_group if not r["class"].startswith("macro_") and r["n_positive"] >= 10}
            counts = [count_cell(found[0]["n"]), count_cell(len(classes))]
            body.append(line((task, group), counts + [cell(row) for row in found], own=group == "all"))
    caption = (
        "Discrimination and calibration of the headline probe over classes with at least 10 positives in the group: "
        "groups with other classes are not comparable by their means; each class stands in results.json"
    )
    head = ["Task", "Group", "Records", "Classes", "AUROC", "Brier score", "Calibration error (ECE)"]
    return "<h2>Groups</h2>\n" + table(caption, head, 2, body) if body else ""


def _label_fractions(rows, own_method):
    few = [row for row in rows if row["label_fraction"] < 1]
    names, tasks = list(dict.fromkeys(name_of(row) for row in few)), values_of(few, "task")
    body = []
    for fraction in (1.0, *values_of(few, "label_fraction")):
        of_fraction = select(rows, {"label_fraction": fraction, "metric": "auroc"})
        for kind in values_of(of_fraction, "val_labels"):
            for name in names:
                of_task = {r["task"]: r for r in select(of_fraction, {"val_labels": kind}) if name_of(r) == name}
                if of_task:
                    own = any(row["method"] == own_method for row in of_task.values())
                    words = (f"{fraction:.0%}", kind, name)
                    body.append(line(words, [cell(of_task.get(task)) for task in tasks], own=own))
    caption = (
        "Macro AUROC with a share of the labelled patients (5 draws, iterative stratification); strength chosen on the "
        "full validation part or on one cut alike; a class without a positive in a draw counts 0.5"
    )
    head = ["Labels", "Validation", "Features", *tasks]
    return "<h2>Fewer labels</h2>\n" + table(caption, head, 3, body) if body else ""
