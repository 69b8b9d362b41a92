"""States of an encoder's tokens, each at its lead and patch: their means are the pooled features."""

import jax
import numpy as np
import pytest

from cgdmer_jax.methods.make import METHODS
from tests.methods.conftest import CONFIG, PATCH, make_method, weights_of
from tests.methods.kmerl_small import make_kmerl, with_findings


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


def test_methods_whose_tokens_are_of_all_leads_at_once_do_not_declare_them():
    assert not any(hasattr(METHODS[name][0], "ecg_token_states") for name in ("cmelt", "merl"))
