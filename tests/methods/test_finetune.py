"""Fine-tuning as a method: its loss, what it trains, and that each augmentation does what it says."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.methods.finetune.augment import LARGEST, noisy, rotated
from cgdmer_jax.methods.finetune.loss import binary_cross_entropy
from cgdmer_jax.methods.make import make_method
from cgdmer_jax.methods.protocol import Variables
from tests.methods.finetune_small import CLASSES, RATE, SAMPLES, Means, config_of, labelled_batch, small_finetune

KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def batch():
    return labelled_batch()


def stepped(method, variables, batch, key=KEY):
    """(loss, gradient, new state) of a step of training."""

    def loss_of(params):
        draws = method.draw(key, batch, jnp.float32(0))
        return method.loss(Variables(params, variables.state), batch, draws, train=True)

    (loss, aux), gradient = jax.value_and_grad(loss_of, has_aux=True)(variables.params)
    return loss, gradient, aux.state


def test_the_loss_and_its_gradient_are_torchs_for_logits_of_any_size():
    torch = pytest.importorskip("torch")
    draw = np.random.default_rng(0)
    logits = (draw.normal(size=(7, 4)) * np.array([1, 10, 100, 1e4])).astype(np.float32)
    labels = draw.random((7, 4)) < 0.4
    of_torch = torch.tensor(logits, requires_grad=True)
    wanted = torch.nn.functional.binary_cross_entropy_with_logits(of_torch, torch.tensor(labels, dtype=torch.float32))
    wanted.backward()
    loss, gradient = jax.value_and_grad(binary_cross_entropy)(jnp.asarray(logits), jnp.asarray(labels))
    assert float(loss) == pytest.approx(wanted.item(), rel=1e-6)
    np.testing.assert_allclose(gradient, of_torch.grad, atol=1e-8)


def test_the_loss_of_a_batch_is_that_of_the_heads_logits_in_numpy(batch):
    method = small_finetune()
    variables = method.init(KEY, batch)
    encoder, head = variables.params["encoder"], variables.params["head"]
    features = 2 * (np.asarray(batch.signal, np.float64).mean(2) / 1000 @ np.asarray(encoder["lead"]["kernel"]))
    normed = (features - features.mean(1, keepdims=True)) / np.sqrt(features.var(1, keepdims=True) + 1e-6)
    logits = normed @ np.asarray(head["logits"]["kernel"]) + np.asarray(head["logits"]["bias"])
    p, labels = 1 / (1 + np.exp(-logits)), np.asarray(batch.record_columns["labels:toy"])
    wanted = -np.where(labels, np.log(p), np.log(1 - p)).mean()
    loss, _, _ = stepped(method, variables, batch)
    assert float(loss) == pytest.approx(wanted, rel=1e-5)
    found = method.embed_ecg(variables, batch)
    np.testing.assert_allclose(found["main"], features, rtol=1e-5)
    np.testing.assert_allclose(found["logits"], logits, rtol=1e-4, atol=1e-5)


def test_it_has_the_encoders_needed_parameters_alone_and_starts_from_given_ones(batch):
    method, encoder = small_finetune(), Means().init(jax.random.key(9), batch)
    assert set(method.init(KEY, batch).params["encoder"]) == {"lead"}  # neither words nor the projector
    given = method.of_encoder(encoder)
    variables = method.started({"encoder": given.params, "head": method.init(KEY, batch).params["head"]}, given.state)
    np.testing.assert_array_equal(method.embed_ecg(variables, batch)["main"], Means().embed_ecg(encoder, batch)["main"])


def test_with_the_head_alone_the_encoder_has_no_gradient_and_stands_still(batch):
    method = small_finetune(encoder_lr_multiplier=0.0)
    assert method.declared.rate_factors == (("^encoder/", 0.0),)
    _, gradient, _ = stepped(method, method.init(KEY, batch), batch)
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(gradient["encoder"]))
    assert all(np.any(leaf) for leaf in jax.tree.leaves(gradient["head"]["logits"]))
    whole = small_finetune(encoder_lr_multiplier=0.3)
    assert whole.declared.rate_factors == (("^encoder/", 0.3),)
    assert np.any(stepped(whole, whole.init(KEY, batch), batch)[1]["encoder"]["lead"]["kernel"])


def test_a_rotation_moves_all_leads_of_a_record_alike_and_no_padding(batch):
    shift = np.array([0, 1, -1, 5, SAMPLES - 14, 7, -20, 3])
    found = np.asarray(rotated(batch.signal, batch.length, jnp.asarray(shift)))
    for before, after, length, by in zip(*map(np.asarray, (batch.signal, found, batch.length, shift)), strict=True):
        np.testing.assert_array_equal(after[:, :length], np.roll(before[:, :length], -by, axis=1))
        assert not after[:, length:].any()


def test_the_drawn_rotation_is_at_most_what_was_asked_for_either_way(batch):
    method, many = small_finetune(time_shift_seconds=0.4), labelled_batch(400)
    shift = np.asarray(method.draw(KEY, many, jnp.float32(0)).shift)
    assert set(shift.tolist()) == set(range(-4, 5))
    augmented = method.augmented(batch, method.draw(KEY, batch, jnp.float32(0)))
    for before, after in zip(*map(np.asarray, (batch.signal, augmented.signal)), strict=True):
        np.testing.assert_array_equal(np.sort(before, axis=1), np.sort(after, axis=1))
    with pytest.raises(CgdmerError, match=r"time_shift_seconds is 6, and a recording has 5 s; give at most that"):
        small_finetune(time_shift_seconds=(SAMPLES + 10) / RATE)


def test_noise_has_the_asked_deviation_where_something_was_measured_and_is_nowhere_else():
    many = labelled_batch(300)
    method = small_finetune(noise_uv=20.0)
    noise = method.draw(KEY, many, jnp.float32(0)).noise_uv
    measured = np.asarray(many.lead_mask[:, :, None] & (np.arange(SAMPLES) < many.length[:, None, None]))
    calm = jnp.asarray(np.where(measured, 100, 0), jnp.int16)
    found = np.asarray(noisy(calm, many.lead_mask, many.length, noise))
    assert found.dtype == np.int16 and not found[~measured].any()
    added = found[measured] - 100.0
    assert added.std() == pytest.approx(20, rel=0.02) and abs(added.mean()) < 0.5
    shape = (1, 12, 4)
    loud = noisy(jnp.full(shape, LARGEST, jnp.int16), jnp.ones((1, 12), bool), jnp.array([4]), jnp.ones(shape))
    assert np.all(loud == LARGEST)  # it does not wrap round


def test_a_dropped_lead_is_absent_in_training_and_there_without_it(batch):
    method = small_finetune(lead_dropout=0.99)
    draws = method.draw(KEY, batch, jnp.float32(0))
    seen = method.augmented(batch, draws)
    assert seen.lead_mask.sum() < batch.lead_mask.sum() and np.all(seen.lead_mask <= batch.lead_mask)
    assert seen.lead_mask.any(1).all()
    np.testing.assert_array_equal(seen.signal, jnp.where(seen.lead_mask[:, :, None], batch.signal, 0))
    variables = method.init(KEY, batch)
    plain = small_finetune().loss(variables, batch, draws, train=False)[0]
    assert float(method.loss(variables, batch, draws, train=False)[0]) == float(plain)


def test_what_is_not_asked_for_changes_no_bit_of_a_batch(batch):
    method = small_finetune()
    seen = method.augmented(batch, method.draw(KEY, batch, jnp.float32(0)))
    np.testing.assert_array_equal(seen.signal, batch.signal)
    np.testing.assert_array_equal(seen.lead_mask, batch.lead_mask)


def test_the_average_of_the_weights_is_what_is_scored(batch):
    method = small_finetune(average_decay=0.6)
    variables = method.init(KEY, batch)
    wanted = [np.asarray(x, np.float64) for x in jax.tree.leaves(variables.params)]
    first, draw = wanted, np.random.default_rng(0)
    for number in range(12):
        params = jax.tree.map(lambda x: x + draw.normal(size=x.shape).astype(np.float32), variables.params)
        params["encoder"]["lead"]["kernel"] = variables.params["encoder"]["lead"]["kernel"]  # one that never moves
        decay = min(0.6, (1 + number) / (10 + number))
        news = [np.asarray(x, np.float64) for x in jax.tree.leaves(params)]
        wanted = [decay * a + (1 - decay) * new for a, new in zip(wanted, news, strict=True)]
        _, _, state = stepped(method, Variables(params, variables.state), batch)
        variables = Variables(params, state)
    average = variables.state["average"]
    for found, value in zip(jax.tree.leaves(average), wanted, strict=True):
        np.testing.assert_allclose(found, value, rtol=1e-4, atol=1e-5)
    still = np.asarray(average["encoder"]["lead"]["kernel"])
    assert still.tobytes() == np.asarray(variables.params["encoder"]["lead"]["kernel"]).tobytes()
    assert not np.allclose(jax.tree.leaves(average)[-1], first[-1])
    of_average = small_finetune().embed_ecg(Variables(average, {"encoder": variables.state["encoder"]}), batch)
    np.testing.assert_array_equal(method.embed_ecg(variables, batch)["logits"], of_average["logits"])


def test_the_encoders_running_statistics_stay_as_they_are(batch):
    method = small_finetune()
    _, _, state = stepped(method, method.init(KEY, batch), batch)
    assert float(state["encoder"]["statistics"]) == 2


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"encoder_name": "masked_text", "encoder": {}}, "encoder and config.method.classes are empty"),
        ({"encoder_name": "cgdmr", "encoder": {"a": 1}}, r'encoder_name is "cgdmr"\. Did you mean "cgdmer"'),
        ({"encoder_name": "cgdmer", "encoder": {"a": 1}}, r"config\.method\.encoder has no field a"),
    ],
)
def test_an_encoder_that_is_none_is_refused_by_its_field(fields, sentence):
    values = dataclasses.asdict(config_of()) | fields | {"classes": list(CLASSES)}
    with pytest.raises(CgdmerError, match=sentence):
        make_method("finetune", values, n_leads=12, n_samples=100, rate=50, vocabulary=9, max_tokens=3, full_stop=1)
