"""Two sentences on what an evaluation found: the headline probe, and the baselines that it has to be read against."""

import re
from collections.abc import Mapping, Sequence

from cgdmer_jax.metrics.protocols import MACRO, has_no_signals
from cgdmer_jax.report.shown import escape
from cgdmer_jax.report.tables import Row, only, select, values_of

HEADLINE = {"evaluation": "probe", "group": "all", "leads": "all", "label_fraction": 1.0, "val_labels": "full"}
BASELINES = {
    "random_weights": "random weights",
    "hand36": "36 amplitudes",
    "random_convolutions": "random convolutions",
    "chance": "chance",
}
NO_BASELINE = "No baseline was scored beside it, and without one the figure says little."
UNDEFINED = "undefined (too few positives)"
NONE_DEFINED = "The baselines are undefined too."
NOTHING = "Neither labels nor reports were scored."
SEEN = " (some of the scored patients or recordings were trained on)"


def found(rows: Sequence[Row], own_method: str) -> list[str]:
    """The sentences as text, two a protocol; a name of a feature stands between backticks."""
    told = []
    for protocol in values_of(rows, "protocol"):
        of_protocol = select(rows, {"protocol": protocol})
        sentences = _probe(of_protocol, own_method, MACRO[protocol]) or _retrieval(of_protocol, own_method)
        told += [_of_protocol(sentences[0], protocol), *sentences[1:]] if sentences else []
    return told or [NOTHING]


def found_section(rows: Sequence[Row], own_method: str) -> str:
    """The same as a paragraph of the page."""
    words = re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(" ".join(found(rows, own_method))))
    return f'<p class="found">{words}</p>'


def _probe(rows: Sequence[Row], own_method: str, macro: str) -> list[str]:
    """Rows of the headline feature: the one with paired differences, else the first."""
    shown = [row for row in select(rows, HEADLINE | {"class": macro}) if not has_no_signals(row)]
    plain = select(shown, {"metric": "auroc", "variant": None})
    paired = select(shown, {"metric": "auroc_difference", "method": own_method})
    feature = next((row["feature"] for row in [*paired, *select(plain, {"method": own_method})]), None)
    own = {row["task"]: row for row in select(plain, {"method": own_method, "feature": feature})}
    if not own:
        return []
    figures = _listed([f"{_figure(row)} on {task}" for task, row in own.items()])
    first = f"Probe on `{feature}`: macro AUROC {figures}{_seen(own.values())}."
    baselines: dict[str, dict[str, Row]] = {}  # method -> task -> row
    for row in plain:
        if row["method"] in BASELINES and row["task"] in own:
            baselines.setdefault(row["method"], {})[row["task"]] = row
    if not baselines:
        return [first, NO_BASELINE]
    if all(row["value"] is None for of in baselines.values() for row in of.values()):
        return [first, NONE_DEFINED]
    reached = [
        f"{BASELINES[method]}{'' if number else ' reach'} {_listed([_value(of.get(task)) for task in own])}"
        for number, (method, of) in enumerate(baselines.items())
    ]
    many = len(own) > 1
    second = ("; ".join(reached) if many else _listed(reached)) + (" (tasks in this order)" if many else "")
    verdicts = _verdicts(own, baselines, paired)
    return [first, "; ".join(part for part in (_capital(second), verdicts) if part) + "."]


def _verdicts(own: Mapping[str, Row], baselines: Mapping[str, Mapping[str, Row]], paired: Sequence[Row]) -> str:
    """The highest baseline of each task beside the probe; tasks of one baseline and one answer stand together."""
    groups: dict[str, list[str]] = {}
    for task, row in own.items():
        known = {m: of[task]["value"] for m, of in baselines.items() if task in of and of[task]["value"] is not None}
        if row["value"] is None or not known:
            continue
        method = max(known, key=lambda one: known[one])
        difference = only(paired, {"task": task, "variant": f"minus_{method}"})
        highest = ", the highest of them," if len(known) > 1 else ""
        answer, by = _compared(BASELINES[method], highest, known[method] - row["value"], difference)
        groups.setdefault(answer, []).append(by if len(own) == 1 else f"{by} on {task}")
    return "; ".join(answer.format(_listed(tasks)) for answer, tasks in groups.items())


def _compared(name: str, highest: str, excess: float | int, paired: Row | None) -> tuple[str, str]:
    """(answer with a place for by how much, that); `excess` is the baseline's figure less the probe's."""
    if paired is None or paired["value"] is None or paired["low"] is None:
        side = "lower" if excess < 0 else "higher"
        return f"{name} are {side} by {{}}, without an interval", f"{abs(excess):.3f}"
    value, low, high = paired["value"], paired["low"], paired["high"]
    if low <= 0 <= high:
        return f"{name} cannot be told from the probe ({{}})", f"{-value:+.3f} [{-high:+.3f}, {-low:+.3f}]"
    if value < 0:
        return f"{name} are better by {{}}", f"{-value:.3f} [{-high:.3f}, {-low:.3f}]"
    return f"the probe is better than {name}{highest} by {{}}", f"{value:.3f} [{low:.3f}, {high:.3f}]"


def _retrieval(rows: Sequence[Row], own_method: str) -> list[str]:
    """Where there is no task to probe."""
    shown = select(rows, {"evaluation": "retrieval", "variant": "ecg_to_text", "metric": "recall_at_10"})
    own = only(shown, {"method": own_method})
    if own is None:
        return []
    first = f"Of {own['n_positive']:,} recordings {_figure(own)} have their own report among the ten nearest"
    others = [f"{BASELINES[row['method']]} {_value(row)}" for row in shown if row["method"] in BASELINES]
    second = f"Beside it: {_listed(others)}." if others else NO_BASELINE
    return [f"{first} of {own['n']:,}{_seen([own])}.", second]


def _of_protocol(sentence: str, protocol: str) -> str:
    return sentence if protocol == "clean" else f"Protocol {protocol}: {sentence[:1].lower()}{sentence[1:]}"


def _seen(rows) -> str:
    return SEEN if any(row["seen_in_training"] for row in rows) else ""


def _figure(row: Row) -> str:
    if row["value"] is None:
        return UNDEFINED
    return _value(row) + ("" if row["low"] is None else f" [{row['low']:.3f}, {row['high']:.3f}]")


def _value(row: Row | None) -> str:
    return "n/a" if row is None else "undefined" if row["value"] is None else f"{row['value']:.3f}"


def _listed(words: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join(part for part in (", ".join(words[:-1]), *words[-1:]) if part)


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
