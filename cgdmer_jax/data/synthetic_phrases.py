"""The phrases of synthetic reports; a reader's English for findings, their absence and everything else."""

NAMES = {  # nouns that can be affirmed and denied
    "SR": ("sinus rhythm", "normal sinus rhythm"),
    "AFIB": ("atrial fibrillation",),
    "STACH": ("sinus tachycardia",),
    "CLBBB": ("left bundle branch block", "complete left bundle branch block", "LBBB"),
    "IMI": ("inferior myocardial infarction", "inferior infarction", "old inferior infarct"),
    "LVH": ("left ventricular hypertrophy", "LVH"),
}
AFFIRMED = {
    "SR": (
        "sinus rhythm",
        "normal sinus rhythm",
        "sinus rhythm at {bpm} bpm",
        "sinus rhythm, rate {bpm}",
        "rhythm: sinus rhythm, {bpm}/min",
        "sinus rhythm with a normal rate of {bpm} bpm",
    ),
    "AFIB": (
        "atrial fibrillation",
        "atrial fibrillation, ventricular rate {bpm}",
        "atrial fibrillation {response}",
        "irregularly irregular rhythm without P waves: atrial fibrillation",
        "rhythm: atrial fibrillation at {bpm} bpm",
        "atrial fibrillation, no P waves",
    ),
    "STACH": (
        "sinus tachycardia",
        "sinus tachycardia at {bpm} bpm",
        "sinus tachycardia, rate {bpm}",
        "rhythm: sinus tachycardia, {bpm}/min",
        "rapid rate of {bpm} bpm, sinus tachycardia",
    ),
    "CLBBB": (
        "{name}",
        "{name} with secondary ST-T changes",
        "wide QRS ({qrs} ms), {name}",
        "{name}, QRS duration {qrs} ms",
        "broad notched R waves in I and V6 due to {name}",
        "QRS pattern of {name}",
    ),
    "IMI": (
        "old inferior myocardial infarction",
        "inferior infarct, age undetermined",
        "{hedge} inferior myocardial infarction",
        "Q waves in II, III and aVF consistent with prior inferior infarction",
        "pathological inferior Q waves, {hedge} old inferior infarction",
        "inferior wall infarction, probably old",
    ),
    "LVH": ("{name}", "{hedge} {name}", "QRS pattern of {name}"),
}
LVH_BY_VOLTAGE = (
    "voltage criteria for left ventricular hypertrophy",
    "high QRS voltages, {name}",
    "deep S in V1-V2 and tall R in V5-V6, {name}",
)
LVH_WITH_STRAIN = (
    "{name} with strain pattern",
    "{name} with repolarization abnormality",
    "lateral T wave inversion, {name}",
    "{name} and secondary ST-T changes",
)
HEDGE_FAINT = ("possible", "probable", "findings suggestive of")
HEDGE_CLEAR = ("evidence of", "signs of", "findings consistent with")  # the words that denials use too
RESPONSE_FAST = ("with rapid ventricular response", "with fast ventricular response")
RESPONSE_CONTROLLED = ("with controlled ventricular response", "with normal ventricular rate")
DENIED = (
    "no evidence of {name}",
    "no {name}",
    "no signs of {name}",
    "{name} is not present",
    "without evidence of {name}",
    "{name} not seen",
    "{name} is absent",
)
DENIED_MORPHOLOGY = ("no criteria for {name}", "negative for {name}")  # nobody says so of a rhythm
DENIED_PAIR = (
    "no evidence of {name} or {other}",
    "no {name}, no {other}",
    "no signs of {name} or {other}",
)
AXIS = {
    "left": ("left axis deviation", "leftward QRS axis"),
    "normal": ("normal axis", "normal QRS axis"),
    "right": ("right axis deviation", "rightward QRS axis"),
}
PREMATURE = ("occasional premature atrial complexes", "isolated atrial premature beats")
FLAT_T = ("nonspecific T wave flattening", "nonspecific T wave changes")
NORMAL = (
    "normal ECG",
    "normal tracing",
    "ECG within normal limits",
    "otherwise unremarkable",
    "no abnormality detected",
)
BORDERLINE = ("borderline ECG", "no other abnormality detected")
ABNORMAL = ("abnormal ECG", "clinical correlation advised", "please review clinically", "abnormal tracing")
ASIDES = ("no previous tracing for comparison", "interpretation by computer", "technically adequate tracing")
ASIDES_NARROW_QRS = ("QTc within normal limits", "no acute ST elevation")
ASIDES_P = ("normal PR interval",)
