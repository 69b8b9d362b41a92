"""Names of leads: one that means a lead with its sign changed is never taken, or proposed, for that lead."""

import pytest

from cgdmer_jax.waveform.lead_names import LEADS, advice_about, canonical_lead, inverted, no_lead_among, opposite_of

JOINED = ("Lead {}", "lead_{}", "ECG {}", "ecg lead {}", "MDC_ECG_LEAD_{}", "Lead-{}", "Lead - {}", "ECG: {}", " {} ")
NEGATED = (
    "-{}",
    "\u2212{}",
    "- {}",
    "(-){}",
    "(-{})",
    "{}-",
    "{} inverted",
    "{}_inv",
    "{} (neg)",
    "inv {}",
    "minus {}",
)


@pytest.mark.parametrize("form", JOINED)
@pytest.mark.parametrize("lead", LEADS)
def test_a_prefix_leaves_the_lead_and_a_minus_sign_behind_it_does_not(lead, form):
    assert canonical_lead(form.format(lead)) == canonical_lead(form.format(lead.upper())) == lead
    assert opposite_of(form.format(lead)) is None
    assert canonical_lead(form.format(f"-{lead}")) is None and opposite_of(form.format(f"-{lead}")) == lead


@pytest.mark.parametrize("form", NEGATED)
@pytest.mark.parametrize("lead", LEADS)
def test_a_negated_name_is_the_opposite_of_its_lead_and_not_proposed_for_it(lead, form):
    for name in (form.format(lead), form.format(lead.lower())):
        assert canonical_lead(name) is None and opposite_of(name) == lead
        assert advice_about(name) == f"it is {lead} with its sign changed: give -1 times its values as {lead}"


@pytest.mark.parametrize(
    "name", ["-", "", "V7", "-V7", "I-II", "vx", "Resp", "inverted", "aVRx", "--", "V1-V2", "invx"]
)
def test_other_names_are_the_opposite_of_nothing(name):
    assert canonical_lead(name) is None and opposite_of(name) is None


def test_a_misspelt_name_is_still_answered_with_the_nearest():
    assert advice_about("aVRx").endswith(' Did you mean "aVR"?')


def test_the_inverted_leads_among_others_are_explained():
    assert inverted(("ABP", "V7")) == ""
    told = '"-aVR" is aVR, "V1 inv" is V1 with the sign changed: multiply by -1 to use it under that name'
    assert inverted(("ABP", "-aVR", "V1 inv")) == told
    assert no_lead_among(("-aVR", "V1 inv")) == f"no lead among -aVR, V1 inv is known; {told}"
    assert no_lead_among(("E1",), " in the header").endswith("V5, V6 in the header")
