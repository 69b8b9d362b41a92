"""Two sentences on what an evaluation found: the headline probe, and the baselines that it has to be read against."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from cgdmer_jax.metrics.metrics import ENOUGH_POSITIVES
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
UNDEFINED = {  # by the class of the mean
    "macro_ge10": f"undefined (a class needs {ENOUGH_POSITIVES} positives among the scored records and some to fit on)",
    "macro_all": "undefined (a class needs positives and negatives among the scored records)",
}
NONE_DEFINED = "The baselines are undefined too."
NOTHING = "Neither labels nor reports were scored."
SEEN = " (some of the scored patients or recordings were trained on)"


class HeadlineProbe(NamedTuple):
    """Macro AUROC of the headline feature and of the baselines, by task."""

    feature: str
    own: dict[str, Row]
    baselines: dict[str, dict[str, Row]]  # method -> task -> row
    paired: list[Row]  # differences

    def compared(self) -> bool:
        """Whether any baseline has a figure."""
        return any(row["value"] is not None for of in self.baselines.values() for row in of.values())


class Verdict(NamedTuple):
    """The probe beside the highest baseline of one task."""

    words: str  # "random convolutions are better"
    aside: str  # behind the words, where the other baselines have been named
    how: str  # what follows, with a place for the difference: " by {}"
    difference: str  # without its interval
    interval: str


def found(rows: Sequence[Row], own_method: str) -> list[str]:
    """The sentences as text, two a protocol; a name of a feature stands between backticks."""
    told = []
    for protocol in values_of(rows, "protocol"):
        of_protocol = select(rows, {"protocol": protocol})
        sentences = _probe(of_protocol, own_method, MACRO[protocol]) or _retrieval(of_protocol, own_method)
        told += [_of_protocol(sentences[0], protocol), *sentences[1:]] if sentences else []
    return told or [NOTHING]


def headline(rows: Sequence[Row], own_method: str) -> str:
    """The verdict in a few words, for a title; empty without a comparison. The rows are of one protocol."""
    probed = _probed(rows, own_method, MACRO[rows[0]["protocol"]]) if rows else None
    verdicts = _verdicts(probed) if probed else {}
    if len(verdicts) == 1:
        (verdict,) = verdicts.values()
        return verdict.words + verdict.how.format(verdict.difference)
    groups: dict[str, list[str]] = {}
    for task, verdict in verdicts.items():
        groups.setdefault(verdict.words, []).append(task)
    return "; ".join(f"{words} on {_listed(tasks)}" for words, tasks in groups.items())


def found_section(rows: Sequence[Row], own_method: str) -> str:
    """The same as a paragraph of the page."""
    words = re.sub(r"`([^`]*)`", r"<code>\1</code>", escape(" ".join(found(rows, own_method))))
    return f'<p class="found">{words}</p>'


def _probed(rows: Sequence[Row], own_method: str, macro: str) -> HeadlineProbe | None:
    """The headline feature is the one with paired differences, else the first; None where no task was probed."""
    shown = [row for row in select(rows, HEADLINE | {"class": macro}) if not has_no_signals(row)]
    plain = select(shown, {"metric": "auroc", "variant": None})
    paired = select(shown, {"metric": "auroc_difference", "method": own_method})
    feature = next((row["feature"] for row in [*paired, *select(plain, {"method": own_method})]), None)
    own = {row["task"]: row for row in select(plain, {"method": own_method, "feature": feature})}
    baselines: dict[str, dict[str, Row]] = {}
    for row in plain:
        if row["method"] in BASELINES and row["task"] in own:
            baselines.setdefault(row["method"], {})[row["task"]] = row
    return HeadlineProbe(feature, own, baselines, select(paired, {"feature": feature})) if own else None


def _probe(rows: Sequence[Row], own_method: str, macro: str) -> list[str]:
    probed = _probed(rows, own_method, macro)
    if probed is None:
        return []
    own = probed.own
    figures = _listed([f"{_figure(row)} on {task}" for task, row in own.items()])
    first = f"Probe on `{probed.feature}`: macro AUROC {figures}{_seen(own.values())}."
    if not probed.baselines:
        return [first, NO_BASELINE]
    if not probed.compared():
        return [first, NONE_DEFINED]
    reached = [
        f"{BASELINES[method]}{'' if number else ' reach'} {_listed([_value(of.get(task)) for task in own])}"
        for number, (method, of) in enumerate(probed.baselines.items())
    ]
    many = len(own) > 1
    second = ("; ".join(reached) if many else _listed(reached)) + (" (tasks in this order)" if many else "")
    # Tasks of one baseline and one answer stand together.
    groups: dict[str, list[str]] = {}
    for task, verdict in _verdicts(probed).items():
        by = verdict.difference + verdict.interval + (f" on {task}" if many else "")
        groups.setdefault(verdict.words + verdict.aside + verdict.how, []).append(by)
    answers = [answer.format(_listed(by)) for answer, by in groups.items()]
    return [first, "; ".join([_capital(second), *answers]) + "."]


def _verdicts(probed: HeadlineProbe) -> dict[str, Verdict]:
    """The highest baseline of each task beside the probe; without the tasks of which either is undefined."""
    verdicts = {}
    for task, row in probed.own.items():
        figures = {method: of[task]["value"] for method, of in probed.baselines.items() if task in of}
        known = {method: value for method, value in figures.items() if value is not None}
        if row["value"] is None or not known:
            continue
        method = max(known, key=lambda one: known[one])
        difference = only(probed.paired, {"task": task, "variant": f"minus_{method}"})
        highest = ", the highest of them," if len(known) > 1 else ""
        verdicts[task] = _compared(BASELINES[method], highest, known[method] - row["value"], difference)
    return verdicts


def _compared(name: str, highest: str, excess: float | int, paired: Row | None) -> Verdict:
    """`excess` is the baseline's figure less the probe's."""
    if paired is None or paired["value"] is None or paired["low"] is None:
        side = "lower" if excess < 0 else "higher"
        return Verdict(f"{name} are {side}", "", " by {}, without an interval", f"{abs(excess):.3f}", "")
    value, low, high = paired["value"], paired["low"], paired["high"]
    if low > 0:
        return Verdict(
            f"the probe is better than {name}", highest, " by {}", f"{value:.3f}", f" [{low:.3f}, {high:.3f}]"
        )
    low, high = -high, -low
    if low > 0:
        return Verdict(f"{name} are better", "", " by {}", f"{-value:.3f}", f" [{low:.3f}, {high:.3f}]")
    words = f"{name} cannot be told from the probe"
    return Verdict(words, "", " ({})", f"{-value:+.3f}", f" [{low:+.3f}, {high:+.3f}]")


def _retrieval(rows: Sequence[Row], own_method: str) -> list[str]:
    """Where there is no task to probe."""
    shown = select(rows, {"evaluation": "retrieval", "variant": "ecg_to_text", "metric": "recall_at_10"})
    own = only(shown, {"method": own_method})
    if own is None:
        return []
    first = (
        f"Retrieval: recall at 10 is {_figure(own)}, the share of {own['n_positive']:,} recordings whose own report is "
        f"among the ten nearest of {own['n']:,}"
    )
    others = [f"{BASELINES[row['method']]} {_value(row)}" for row in shown if row["method"] in BASELINES]
    second = f"For comparison: {_listed(others)}." if others else NO_BASELINE
    return [f"{first}{_seen([own])}.", second]


def _of_protocol(sentence: str, protocol: str) -> str:
    return sentence if protocol == "clean" else f"Protocol {protocol}: {sentence[:1].lower()}{sentence[1:]}"


def _seen(rows) -> str:
    return SEEN if any(row["seen_in_training"] for row in rows) else ""


def _figure(row: Row) -> str:
    if row["value"] is None:
        return UNDEFINED.get(row["class"], "undefined")
    return _value(row) + ("" if row["low"] is None else f" [{row['low']:.3f}, {row['high']:.3f}]")


def _value(row: Row | None) -> str:
    return "n/a" if row is None else "undefined" if row["value"] is None else f"{row['value']:.3f}"


def _listed(words: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join(part for part in (", ".join(words[:-1]), *words[-1:]) if part)


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
