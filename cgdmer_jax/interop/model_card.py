"""README.md of a model folder: what it was trained on, how it scored, what it must not be used for."""

from collections.abc import Sequence
from dataclasses import dataclass

from cgdmer_jax.contract import InputContract
from cgdmer_jax.interop.prediction_head import PredictionHead

DISCLAIMER = "Research software, not a medical device. No output of it may guide the care of a patient."


@dataclass(frozen=True)
class StoreFacts:
    """One store that was trained on."""

    name: str
    n_patients: int  # of the training folds
    licence: str
    citation: str
    recordings: str  # which seconds of them it holds


@dataclass(frozen=True)
class Figure:
    """One macro AUROC of the table, with its 95 % interval over patients; `value` is None where too few positives
    were scored.
    """

    what: str  # "probe on main", "random weights", "zero-shot, de prompts"
    store: str
    split: str
    task: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    marks: tuple[str, ...]  # domain, supervision, whether scored patients were seen in training


def model_card(
    title: str,
    method: str,
    contract: InputContract,
    stores: Sequence[StoreFacts],
    figures: Sequence[Figure],
    origin: dict,
    vocabulary: str,
    head: PredictionHead | None = None,
) -> str:
    """Markdown; `origin` is what config.json says of the run, `vocabulary` where the tokenizer's words are from."""
    parts = [
        beginning(title, method),
        _use(contract, "" if head is None else _classes(head)),
        input_section(contract),
        data_section(stores, contract, vocabulary),
        _figures(figures),
        _limits(contract, figures, predicts=head is not None),
        origin_section(origin),
    ]
    return "\n".join(parts)


def beginning(title: str, method: str) -> str:
    """Front matter of the hub, title and disclaimer."""
    front = f"---\nlibrary_name: cgdmer_jax\ntags: [ecg, electrocardiogram, {method}]\n---\n"
    return f"{front}\n# {title}\n\n{DISCLAIMER}\n"


def origin_section(origin: dict) -> str:
    """A line for each field."""
    return "## Origin\n\n" + "".join(f"- {name}: {value}\n" for name, value in origin.items())


def _classes(head: PredictionHead) -> str:
    """The classes of `predict`, with threshold and calibration."""
    lines = [
        f"| {code} | {name} | {'not known' if threshold is None else f'{threshold:.3f}'} | {'yes' if known else 'no'} |"
        for code, name, threshold, known in zip(head.codes, head.names, head.thresholds, head.calibrated, strict=True)
    ]
    return f"""
`predict` gives the probability of each class of the task `{head.task}`. Thresholds (of highest F1) and calibration were
chosen on {head.n_chosen_on:,} records, and hold where findings are as frequent as among those.

| code | class | threshold | calibrated |
|---|---|---|---|
""" + "".join(f"{one}\n" for one in lines)


def _use(contract: InputContract, classes: str) -> str:
    scores = 'zero_shot(signals, {"AFIB": "atrial fibrillation"}, '
    if classes:
        scores = "predict(signals, "
    return f"""## Use

```python
import cgdmer_jax

encoder = cgdmer_jax.load("PATH-OF-THIS-FOLDER")
# signals: [record, lead, time], at least {contract.rate:g} Hz
vectors = encoder.embed(signals, rate=500, leads=("I", "II", "V1"), unit="mV")
scores = encoder.{scores}rate=500, leads=("I", "II", "V1"), unit="mV")
```

Nothing is guessed: a rate below {contract.rate:g} Hz, an unknown lead name or an amplitude that does not fit the
unit is refused.
{classes}"""


def input_section(contract: InputContract) -> str:
    """Rate, length, leads, filter and scaling that the model reads."""
    leads = ", ".join(contract.leads)
    limb_leads = "absent limb leads are made from two others; " if contract.derive_limb_leads else ""
    return f"""## Input

The first {contract.seconds:g} s at {contract.rate:g} Hz (higher rates are resampled; shorter signals are padded;
`windows=` reads the central seconds of longer ones, or all of them in turn); leads {leads}
by name, any of them may be absent; {limb_leads}filter {contract.filter}; scaling {contract.scaling}.
Where `config.json` has `scale_feature` true, each token is also told its lead's standard deviation in mV: a wrong gain
changes what the model says. All of it: `input.json`.
"""


def data_section(stores: Sequence[StoreFacts], contract: InputContract, vocabulary: str) -> str:
    """Collections that were trained on, and what `input.json` tells of them."""
    patients = "Of patients there is only the number."
    keyed = [part.name for part in contract.trained_on if part.patient_hmac_sha256]
    if keyed:
        others = "" if len(keyed) == len(contract.trained_on) else ", of the others only their number"
        patients = (
            f"Patients of {', '.join(keyed)} stand there as HMAC-SHA256 under a key, and whoever has it can compare "
            f"them (`encoder.was_trained_on_patient`){others}."
        )
    lines = [
        f"- {s.name}: {s.n_patients:,} patients; licence: {s.licence}; cite: {s.citation}\n"
        f"  Recordings: {s.recordings}\n"
        for s in stores
    ]
    return (
        "## Trained on\n\n"
        + "".join(lines)
        + "\n`input.json` holds hashes of the training recordings, for leak checks (`encoder.was_trained_on`). "
        + f"{patients}\n\n{vocabulary}\n"
    )


def _figures(figures: Sequence[Figure]) -> str:
    if not figures:
        none = "None: this checkpoint was not evaluated before the export; evaluate it and export again."
        return f"## Figures\n\n{none}\n"
    return "## Figures\n\n" + "\n".join(part for part in (_defined(figures), _undefined(figures)) if part)


def _undefined(figures: Sequence[Figure]) -> str:
    """A line for each store and split of which a task has no figure at all."""
    tasks: dict[tuple[str, str], dict[str, bool]] = {}
    for one in figures:
        of_split = tasks.setdefault((one.store, one.split), {})
        of_split[one.task] = of_split.get(one.task, False) or one.value is not None
    lines = [
        f"Evaluated on {store}, {split}, without a figure of {' and '.join(name for name in of if not of[name])}: a "
        "class needs 10 positives among the scored records.\n"
        for (store, split), of in tasks.items()
        if not all(of.values())
    ]
    return "\n".join(lines)


def _defined(figures: Sequence[Figure]) -> str:
    figures = [one for one in figures if one.value is not None]
    if not figures:
        return ""
    lines = ["| what | store, split | task | macro AUROC [95 %] | records | marks |", "|---|---|---|---|---|---|"]
    for one in figures:
        interval = "" if one.low is None else f" [{one.low:.3f}, {one.high:.3f}]"
        lines.append(
            f"| {one.what} | {one.store}, {one.split} | {one.task} | {one.value:.3f}{interval} | {one.n:,} | "
            f"{', '.join(one.marks)} |"
        )
    return "Classes with at least 10 positives; intervals over patients.\n\n" + "\n".join(lines) + "\n"


def _limits(contract: InputContract, figures: Sequence[Figure], *, predicts: bool) -> str:
    names = ", ".join(store.name for store in contract.trained_on)
    limits = [
        f"It knows recordings and reports like those of {names}; other devices, populations and ways of writing were "
        "not seen.",
        "A probability is one among recordings like those it was calibrated on, and not of those of another clinic."
        if predicts
        else "A zero-shot score is a similarity, not a probability, and depends on the wording of the prompt.",
        "Reports were the training signal: their mistakes, habits and omissions are learnt too.",
    ]
    if not any("out" in one.marks and one.value is not None for one in figures):
        limits.append("No figure above is from another collection: how it transfers is not measured.")
    return "## Limits\n\n" + "".join(f"- {limit}\n" for limit in limits)
