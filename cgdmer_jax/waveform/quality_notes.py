"""Remarks on the quality of one recording; none of them changed a sample."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool

from cgdmer_jax.waveform.conditioning import LEADS

# Words for the marks of a lead, by column of records.parquet.
WORDS = {
    "lead_absent": "absent",
    "lead_flagged": "gaps or clipped samples in",
    "lead_implausible": "implausible amplitude in",
    "lead_derived": "derived from other limb leads:",
}


RECORD_WORDS = {
    "arms_swapped": "arm electrodes perhaps exchanged (lead I looks like V6 upside down); nothing was changed",
    "limb_leads_disagree": "the limb leads contradict each other (I + III is not II, or aVR, aVL, aVF do not follow "
    "from them): exchanged names, or leads not recorded together; nothing was changed",
}


def remarks(of_leads: Mapping[str, Bool[np.ndarray, "12"]], of_record: Mapping[str, bool]) -> list[str]:
    """A remark for each mark that any lead has, and for each of the record; both by column, as in the words."""
    found = []
    for column, marked in of_leads.items():
        leads = [lead for lead, is_so in zip(LEADS, marked, strict=True) if is_so]
        found += [f"{WORDS[column]} {', '.join(leads)}"] if leads else []
    return found + [RECORD_WORDS[column] for column, is_so in of_record.items() if is_so]
