"""States of an encoder's tokens, each at its lead and patch: their means are the pooled features."""

from functools import partial

import jax
import numpy as np
import pytest

from cgdmer_jax.models.ecg.resnet import n_positions
from tests.methods.cmelt_small import make_cmelt, with_negatives
from tests.methods.cmelt_small import weights_of as cmelt_weights
from tests.methods.conftest import CONFIG, ONE_LEAD, PATCH, SAMPLES, WHOLE, make_method, weights_of
from tests.methods.kmerl_small import make_kmerl, with_findings
from tests.methods.merl_small import VIT, make_merl
from tests.methods.merl_small import weights_of as merl_weights


@pytest.mark.parametrize("name", ["cgdmer", "kmerl"])
def test_means_over_the_valid_tokens_are_the_features_that_the_method_pools(name, batch):
    method, found = (make_method(CONFIG), batch) if name == "cgdmer" else (make_kmerl(), with_findings(batch))
    assert method.declared.tokens
    variables = weights_of(method, found)
    made, pooled = jax.jit(lambda v, b: (method.ecg_token_states(v, b), method.embed_ecg(v, b)))(variables, found)
    states, valid = np.asarray(made.states), np.asarray(made.valid)
    ends = (1 + np.arange(states.shape[2])) * PATCH <= np.asarray(found.length)[:, None, None]
    np.testing.assert_array_equal(valid, np.asarray(found.lead_mask)[:, :, None] & ends)
    assert not states[~valid].any() and states[valid].any(-1).all()
    for record, own in enumerate(valid):
        np.testing.assert_allclose(states[record][own].mean(0), pooled["main"][record], atol=1e-5)
        for lead in np.flatnonzero(own.any(1)):
            mean = states[record, lead][own[lead]].mean(0)
            if name == "cgdmer":  # its feature by lead is the sum of shared and specific
                mean = mean[: len(mean) // 2] + mean[len(mean) // 2 :]
            per_lead = np.asarray(pooled["per_lead"][record]).reshape(12, -1)
            np.testing.assert_allclose(mean, per_lead[lead], atol=1e-5)


@pytest.mark.parametrize("name", ["cmelt", "merl", "merl_vit"])
def test_tokens_of_all_leads_together_have_one_place_on_the_axis_of_leads(name, batch):
    """Valid where the recording still runs: C-MELT's and the ViT's patches whole, of a ResNet's map the middle."""
    method = {"cmelt": make_cmelt, "merl": make_merl, "merl_vit": partial(make_merl, ecg=VIT)}[name]()
    assert method.declared.tokens and method.declared.joint_leads
    found = with_negatives(batch)._replace(lead_mask=batch.lead_mask.at[ONE_LEAD].set(False))
    variables = (cmelt_weights if name == "cmelt" else merl_weights)(method, found)
    made, pooled = jax.jit(lambda v, b: (method.ecg_token_states(v, b), method.embed_ecg(v, b)))(variables, found)
    states, valid = np.asarray(made.states), np.asarray(made.valid)
    samples, last = {"cmelt": (8, 7), "merl": (16, 0), "merl_vit": (PATCH, PATCH - 1)}[name]
    n = {"cmelt": SAMPLES // 8, "merl": n_positions(SAMPLES), "merl_vit": SAMPLES // PATCH}[name]
    ends = last + np.arange(n) * samples < np.asarray(found.length)[:, None]
    np.testing.assert_array_equal(valid, (ends & np.asarray(found.lead_mask).any(1)[:, None])[:, None])
    assert not states[~valid].any() and states[valid].any(-1).all() and states.shape[:2] == (len(ends), 1)
    if name != "merl_vit":  # whose `main` is the norm of the mean
        feature = pooled["encoder" if name == "cmelt" else "main"]
        np.testing.assert_allclose(states[WHOLE, 0].mean(0), feature[WHOLE], atol=1e-5)
