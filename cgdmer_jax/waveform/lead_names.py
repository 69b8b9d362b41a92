"""Names of leads: the twelve in their order, other spellings of them, and names of a lead with its sign changed."""

import re
from collections.abc import Iterable

from cgdmer_jax.errors import suggest

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
MOST_NAMED = 12
_ALIASES = {lead.casefold(): lead for lead in LEADS} | {
    **{f"d{lead.casefold()}": lead for lead in LEADS[:3]},  # DI, DII, DIII: French, Spanish, Portuguese
    **{f"c{k}": f"V{k}" for k in range(1, 7)},  # C1..C6: IEC 60601
    "mlii": "II",  # modified lead II: torso electrodes (MIT-BIH, Holter)
}
# HL7 aECG and DICOM; monitors. A hyphen joins ("Lead-II", "Lead - II") unless it stands at the name like a minus sign.
_PREFIX = re.compile(r"^(?:mdc_ecg_lead_|(?:ecg lead|ecg|lead)(?:\s*-\s+|-|[\s_:]*))")
_MINUS = "-\u2212\u2013\ufe63\uff0d"  # hyphen, minus sign, dash, and their small and wide forms
_WORD = r"(?:minus|neg(?:ative)?|inv(?:erted)?)"
_OPPOSITE = (
    re.compile(rf"\(?[{_MINUS}]\)?\s*(.+?)\)?"),
    re.compile(rf"{_WORD}[\s._:-]*(.+)"),
    re.compile(rf"(.+?)[\s._:(-]*{_WORD}\.?\)?"),
    re.compile(rf"(.+?)\s*\(?[{_MINUS}]\)?"),
)


def canonical_lead(name: str) -> str | None:
    """'avr', 'Lead aVR' -> 'aVR'; 'DII', 'MLII' -> 'II'; 'C1' -> 'V1'; None outside the twelve leads."""
    folded = name.strip().casefold()
    return _ALIASES.get(folded) or _ALIASES.get(_PREFIX.sub("", folded))


def opposite_of(name: str) -> str | None:
    """The lead whose sign is changed under this name: '-aVR' (Cabrera's order), 'aVR inverted' -> 'aVR'; else None."""
    bare = _PREFIX.sub("", name.strip().casefold())
    for pattern in _OPPOSITE:
        found = pattern.fullmatch(bare)
        if found and (lead := canonical_lead(found[1])):
            return lead
    return None


def extra_leads(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names outside the twelve standard leads (Frank leads, V7, a pressure), in the order given."""
    return tuple(name for name in names if canonical_lead(name) is None)


def advice_about(name: str, known: Iterable[str] = LEADS) -> str:
    """Advice on a name outside the twelve, as a clause; never to call an inverted lead by its plain name."""
    if lead := opposite_of(name):
        return f"it is {lead} with its sign changed: give -1 times its values as {lead}"
    return f"rename it or leave it out.{suggest(name, known)}"


def no_lead_among(names: Iterable[str], where: str = "") -> str:
    """The sentence about a recording without any of the twelve leads; `where` follows the advice to rename them."""
    some = list(names)[:MOST_NAMED]
    about = inverted(some) or f"rename them to {', '.join(LEADS)}{where}"
    return f"no lead among {', '.join(some)} is known; {about}"


def inverted(names: Iterable[str]) -> str:
    """A clause that explains the inverted leads among these names; empty where there are none."""
    found = [f'"{name}" is {lead}' for name in names if (lead := opposite_of(name))]
    return f"{', '.join(found)} with the sign changed: multiply by -1 to use it under that name" if found else ""
