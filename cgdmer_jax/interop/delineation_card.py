"""README.md of a model folder that delineates."""

from collections.abc import Sequence

from cgdmer_jax.contract import InputContract
from cgdmer_jax.interop.model_card import StoreFacts, beginning, data_section, input_section, origin_section

NAMED = ("P", "QRS", "T", "macro")


def delineation_card(
    title: str, contract: InputContract, stores: Sequence[StoreFacts], rows: Sequence[dict], origin: dict
) -> str:
    """Markdown; `rows` are those over the folds (docs/delineation.md), `origin` is what config.json says of it."""
    tokenizer = "The tokenizer is that of the encoder; a delineation reads no text."
    parts = [
        beginning(title, "delineation"),
        _use(contract),
        input_section(contract),
        data_section(stores, contract, tokenizer),
        _figures(rows),
        _limits(contract, stores),
        origin_section(origin),
    ]
    return "\n".join(parts)


def _use(contract: InputContract) -> str:
    return f"""## Use

```python
import cgdmer_jax

encoder = cgdmer_jax.load("PATH-OF-THIS-FOLDER")
# signal: [lead, time], at least {contract.rate:g} Hz
waves = encoder.delineate(signal, rate=500, leads=("I", "II", "V1"), unit="mV")
for wave in waves["II"]:
    print(wave.kind, wave.onset_s, wave.offset_s)  # P, QRS or T; seconds
```

Nothing is guessed: a rate below {contract.rate:g} Hz, an unknown lead name or an amplitude that does not fit the
unit is refused.
"""


def _figures(rows: Sequence[dict]) -> str:
    found = {row["wave"]: row for row in rows if (row["leads"], row["metric"]) == ("all", "boundary_f1")}
    lines = [
        f"| {wave} | {_shown(found[wave]['value'], found[wave]['sd'])} | {found[wave]['n']:,} |\n" for wave in NAMED
    ]
    return (
        "## Figures\n\nCross-validated in five folds by patient, each scored by a model that had learned from the four "
        "others; this one learned from all five, and no record was left to score it. F1 of onsets and offsets within "
        "150 ms of those marked, over all leads: mean and standard deviation over the folds.\n\n"
        "| wave | boundary F1 | marked waves |\n|---|---|---|\n" + "".join(lines)
    )


def _shown(value: float | None, sd: float | None) -> str:
    return "not known" if value is None or sd is None else f"{value:.3f} ± {sd:.3f}"


def _limits(contract: InputContract, stores: Sequence[StoreFacts]) -> str:
    limits = [
        f"It knows waves as they are marked in {stores[0].name}; other devices, populations and rules of marking were "
        "not seen.",
        "Every sample is given its likeliest class: in a rhythm without P waves, or in noise, it may still find some.",
        f"A sample is {1000 / contract.rate:g} ms, and no onset or offset is told more finely.",
    ]
    return "## Limits\n\n" + "".join(f"- {limit}\n" for limit in limits)
