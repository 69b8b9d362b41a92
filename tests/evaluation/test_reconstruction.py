"""Input of a method when its reconstruction is scored."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np

from cgdmer_jax.batch import Batch
from cgdmer_jax.evaluation.reconstruction import reconstructor
from cgdmer_jax.methods.protocol import Reconstruction, Variables
from tests.training.toy import Toy


class Copier(Toy):
    """Gives back what it is shown, hidden or not: the worst peeper there is. Its draws are the hidden patches."""

    declared = replace(Toy.declared, reconstructs=True)

    def reconstruct(self, variables, batch, draws):
        return Reconstruction(jnp.asarray(batch.signal) * 1e-3, draws)


def test_a_method_that_copies_its_input_copies_no_hidden_sample():
    rng = np.random.default_rng(0)
    lead_mask = np.ones((4, 12), bool)
    lead_mask[1, 8] = False
    signal = rng.integers(-900, 900, (4, 12, 40)).astype(np.int16) * lead_mask[:, :, None]
    length = np.array([40, 40, 25, 40], np.int32)
    zeros = np.zeros((4, 3), np.int32)
    batch = Batch(signal, lead_mask, length, zeros[:, 0], zeros, zeros > 0, zeros[:, 0], {})
    valid = lead_mask[:, :, None] & (np.arange(10, 41, 10) <= length[:, None, None])
    hidden = valid & (rng.random(valid.shape) < 0.6)
    reconstruct = reconstructor(Copier(), Variables({}, {}), n_samples=40)

    made, visible, given = reconstruct(batch, jnp.asarray(hidden))
    np.testing.assert_array_equal(given, hidden)
    np.testing.assert_array_equal(visible, valid & ~hidden)
    seen = np.repeat(visible, 10, axis=2)
    np.testing.assert_allclose(made[seen], signal[seen] * 1e-3, atol=1e-6)
    gone = np.repeat(hidden, 10, axis=2)
    changed = batch._replace(signal=np.where(gone, 7777, signal).astype(np.int16))
    again, _, _ = reconstruct(changed, jnp.asarray(hidden))
    np.testing.assert_array_equal(again[gone], made[gone])
    assert np.corrcoef(made[gone], signal[gone])[0, 1] < 0.1
