"""The language of a report, German or English, by words that only one of them writes."""

import re

# Function words, and the most frequent cardiological ones of PTB-XL's reports and of its statements' names.
GERMAN = frozenset(
    """abnorm abnormes abnormales alter alt auf ableitungen auszuschliessen bei bericht beschleunigter der des die durch
    ekg für herz im infarkt inferiorer ischämie kammer lagetyp leitungsstörung linksbelastung linkshypertrophie
    linksschenkelblock linkstyp mit möglich myokardschaden nicht niederspannung normales oder rechtsschenkelblock
    rechtstyp schenkelblock schrittmacher sinusbradykardie sinusrhythmus sinustachykardie sonst steiltyp störung und
    ueberdrehter unauffällig unauffälliges unspezifische unspezifisches unvollständiger ventrikuläre verdacht vorhof
    vorhofflimmern vorhofflattern vom von wahrscheinlich zeichen zu""".split()
)
ENGLISH = frozenset(
    """abnormal abnormality and are atrial axis be beat beats branch bundle but by complex consistent contraction
    contractions deviation due ecg fascicular fibrillation flutter for heart high hypertrophy infarction is ischaemia
    ischemia leads left limits low may myocardial no non-specific nonspecific of otherwise pacemaker probable
    premature prolonged rate requested rhythm right segments suggesting tachycardia the this to tracing
    ventricular voltage voltages wave waves with within""".split()
)
WORDS = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")


def language(text: str) -> str:
    """`de`, `en`, or `other`: as many words of one as of the other, mostly none of either."""
    words = WORDS.findall(text.lower())
    german, english = (sum(word in known for word in words) for known in (GERMAN, ENGLISH))
    return "other" if german == english else "de" if german > english else "en"
