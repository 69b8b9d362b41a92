"""The phrases of synthetic reports; a reader's English for findings, their absence and everything else."""

NAMES = {  # nouns that can be affirmed and denied
    "SR": ("sinus rhythm", "normal sinus rhythm"),
    "AFIB": ("atrial fibrillation",),
    "STACH": ("sinus tachycardia",),
    "SBRAD": ("sinus bradycardia",),
    "1AVB": ("first degree AV block", "1st degree AV block"),
    "PVC": ("ventricular ectopy", "ventricular extrasystole"),
    "CLBBB": ("left bundle branch block", "complete left bundle branch block", "LBBB"),
    "CRBBB": ("right bundle branch block", "complete right bundle branch block", "RBBB"),
    "IMI": ("inferior myocardial infarction", "inferior infarction", "old inferior infarct"),
    "AMI": ("anterior myocardial infarction", "anterior infarction", "old anterior infarct"),
    "LVH": ("left ventricular hypertrophy", "LVH"),
    "STD_": ("ST depression",),
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
    "SBRAD": (
        "sinus bradycardia",
        "sinus bradycardia at {bpm} bpm",
        "sinus bradycardia, rate {bpm}",
        "rhythm: sinus bradycardia, {bpm}/min",
        "slow rate of {bpm} bpm, sinus bradycardia",
    ),
    "1AVB": (
        "{name}",
        "{name}, PR interval {pr} ms",
        "prolonged PR interval ({pr} ms), {name}",
        "prolonged PR interval consistent with {name}",
    ),
    "PVC": (
        "{name}",
        "premature ventricular complexes",
        "ventricular premature beats",
        "frequent PVCs",
        "occasional ventricular premature complexes",
        "wide premature beats: {name}",
    ),
    "CLBBB": (
        "{name}",
        "{name} with secondary ST-T changes",
        "wide QRS ({qrs} ms), {name}",
        "{name}, QRS duration {qrs} ms",
        "broad notched R waves in I and V6 due to {name}",
        "QRS pattern of {name}",
    ),
    "CRBBB": (
        "{name}",
        "{name} with secondary ST-T changes",
        "wide QRS ({qrs} ms), {name}",
        "{name}, QRS duration {qrs} ms",
        "RSR' in V1 and broad S in I and V6 due to {name}",
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
    "AMI": (
        "old anterior myocardial infarction",
        "anterior infarct, age undetermined",
        "{hedge} anterior myocardial infarction",
        "Q waves in V1-V4 consistent with prior anterior infarction",
        "loss of R waves in V1-V3, {hedge} old anterior infarction",
        "anterior wall infarction, probably old",
    ),
    "LVH": ("{name}", "{hedge} {name}", "QRS pattern of {name}"),
    "STD_": (
        "ST depression",
        "ST depression in V4-V6",
        "lateral ST depression",
        "horizontal ST depression in I, II and V4-V6",
        "{hedge} lateral ischemia with ST depression",
    ),
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
MORPHOLOGIES = ("1AVB", "CLBBB", "CRBBB", "IMI", "AMI", "LVH")
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
