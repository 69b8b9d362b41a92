"""What is told of one recording's quality; nothing of it was changed."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool

from cgdmer_jax.waveform import LEADS

# Words for the marks of a lead, by column of records.parquet.
WORDS = {
    "lead_absent": "absent",
    "lead_flagged": "gaps or clipped samples in",
    "lead_implausible": "implausible amplitude in",
    "lead_derived": "derived from other limb leads:",
}


def remarks(marks: Mapping[str, Bool[np.ndarray, "12"]], *, arms_swapped: bool) -> list[str]:
    """A remark for each mark that any lead has; `marks` is by column, as in WORDS."""
    found = []
    for column, marked in marks.items():
        leads = [lead for lead, is_so in zip(LEADS, marked, strict=True) if is_so]
        found += [f"{WORDS[column]} {', '.join(leads)}"] if leads else []
    if arms_swapped:
        found.append("arm electrodes perhaps exchanged (lead I looks like V6 upside down); nothing was changed")
    return found
