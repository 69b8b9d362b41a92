"""Patches, slots, and what positions tell a token."""

from itertools import permutations

import jax
import jax.numpy as jnp
import numpy as np

from cgdmer_jax.models.ecg.vit import EcgDecoder, Positions, patchify, take_tokens
from cgdmer_jax.models.masking.slots import Slots
from cgdmer_jax.models.transformer import Size, sin_cos_positions


def slots(index, length) -> Slots:
    return Slots(jnp.asarray(index, jnp.int32), jnp.asarray(length, jnp.int32))


def test_token_is_lead_times_n_plus_patch_and_the_rest_of_a_lead_is_left_out():
    signal = np.arange(2 * 3 * 11, dtype=np.float32).reshape(2, 3, 11)
    patches = np.asarray(patchify(jnp.asarray(signal), 4))
    assert patches.shape == (2, 6, 4)
    for lead in range(3):
        for patch in range(2):
            np.testing.assert_array_equal(patches[:, lead * 2 + patch], signal[:, lead, 4 * patch : 4 * patch + 4])


def test_dead_slots_are_zero_whatever_stood_there_and_pass_no_gradient():
    x = jnp.asarray([[[1.0], [2.0], [jnp.nan]], [[jnp.inf], [5.0], [6.0]]])
    chosen = slots([[1, 0, 2], [2, 1, 0]], [2, 1])
    np.testing.assert_array_equal(take_tokens(x, chosen)[..., 0], [[2, 1, 0], [6, 0, 0]])
    gradient = jax.grad(lambda x: take_tokens(x, chosen).sum())(x)
    np.testing.assert_array_equal(gradient[..., 0], [[1, 1, 0], [0, 0, 1]])


def test_positions_are_the_leads_embedding_plus_the_patchs_sines():
    room = Positions(n_leads=3, n_patches=4, width=6)
    chosen = slots([[0, 5, 11, 2]], [4])
    lead = np.random.default_rng(0).normal(size=(3, 6)).astype(np.float32)
    found = room.apply({"params": {"lead": lead}}, chosen)
    time = np.asarray(sin_cos_positions(4, 6))
    expected = [lead[0] + time[0], lead[1] + time[1], lead[2] + time[3], lead[0] + time[2]]
    np.testing.assert_allclose(found[0], expected, atol=1e-6)


def test_time_positions_are_the_sines_and_cosines_of_vaswani():
    found = np.asarray(sin_cos_positions(50, 8))
    for position in (0, 1, 7, 49):
        angles = [position / 10_000 ** (2 * i / 8) for i in range(4)]
        np.testing.assert_allclose(found[position], [*np.sin(angles), *np.cos(angles)], atol=1e-5)
    assert len(np.unique(found.round(4), axis=0)) == 50


def make_decoder(column_queries: bool = True) -> EcgDecoder:
    return EcgDecoder(2, 4, 5, column_queries, Size(width=8, depth=1, heads=2))


def trained(params):
    """Weights as after some training: nothing stands at 0."""
    draw = np.random.default_rng(1)
    return jax.tree.map(lambda x: x + 0.3 * draw.normal(size=x.shape).astype(np.float32), params)


def test_decoder_draws_nothing_before_it_has_learnt_anything():
    memory = jnp.asarray(np.random.default_rng(0).normal(size=(1, 3, 6)), jnp.float32)
    found, _ = make_decoder().init_with_output(
        jax.random.key(0), memory, slots([[0, 1, 6]], [3]), slots([[2, 3, 5, 7]], [4])
    )
    np.testing.assert_array_equal(found, 0)


def test_column_queries_start_from_the_mean_of_their_own_columns_live_tokens():
    """Without attention, a hidden patch hears of its own column alone, and of that the mean."""
    draw = np.random.default_rng(0)
    memory = jnp.asarray(draw.normal(size=(1, 5, 6)), jnp.float32)
    memory_slots, queries = slots([[1, 5, 2, 3, 7]], [4]), slots([[0, 4, 6]], [3])  # columns 1 1 2 3 (3); 0 0 2
    decoder = make_decoder()
    params = trained(jax.jit(decoder.init)(jax.random.key(0), memory, memory_slots, queries))
    params["params"]["decoder"]["blocks"]["attention"]["out"]["kernel"] *= 0.0
    # Every place alike, so that two tokens of a column can be exchanged for their mean.
    params["params"]["positions"]["lead"] *= 0.0
    apply = jax.jit(decoder.apply)

    def drawn(memory, queries=queries):
        return np.asarray(apply(params, memory, memory_slots, queries))[0]

    in_one = slots([[1, 5, 2]], [3])
    plain, ones = drawn(memory), drawn(memory, in_one)
    for slot, columns in enumerate(((1,), (1,), (2,), (3,), ())):
        moved, moved_ones = drawn(memory.at[0, slot].add(1.0)), drawn(memory.at[0, slot].add(1.0), in_one)
        np.testing.assert_array_equal((moved != plain).any(1), [False, False, 2 in columns])
        np.testing.assert_array_equal((moved_ones != ones).any(1), [1 in columns, 1 in columns, 2 in columns])
    mean = memory.at[0, :2].set(memory[0, :2].mean(0))
    np.testing.assert_allclose(drawn(mean, in_one), ones, atol=1e-5)


def test_without_column_queries_the_decoder_has_attention_alone():
    memory = jnp.zeros((1, 3, 6))
    places = slots([[0, 1, 6]], [3]), slots([[2, 3, 5, 7]], [4])
    names = [
        set(jax.eval_shape(make_decoder(with_column).init, jax.random.key(0), memory, *places)["params"])
        for with_column in (True, False)
    ]
    assert names[0] - names[1] == {"column"}


def test_decoder_draws_each_query_by_itself_whatever_stands_beside_it():
    """Queries meet the memory only: the order of the others never matters."""
    decoder = make_decoder()
    memory = jnp.asarray(np.random.default_rng(0).normal(size=(1, 3, 6)), jnp.float32)
    memory_slots, queries = slots([[0, 1, 6]], [2]), slots([[2, 3, 5, 7]], [4])
    params = trained(jax.jit(decoder.init)(jax.random.key(0), memory, memory_slots, queries))
    apply = jax.jit(decoder.apply)
    plain = apply(params, memory, memory_slots, queries)
    for order in permutations(range(4)):
        moved = apply(params, memory, memory_slots, slots([np.array([2, 3, 5, 7])[list(order)]], [4]))
        np.testing.assert_allclose(moved[0], plain[0][np.array(order)], atol=1e-5)


def test_decoder_reads_a_reports_live_tokens_as_keys_without_a_place():
    """Words behind the live patches: dead patches, dead words and the order of words never matter."""
    decoder = make_decoder()
    draw = np.random.default_rng(0)
    memory, words = (jnp.asarray(draw.normal(size=(2, n, 6)), jnp.float32) for n in (3, 4))
    memory_slots, queries = slots([[0, 1, 6], [3, 2, 7]], [2, 3]), slots([[2, 3, 5, 7], [0, 1, 4, 5]], [4, 4])
    params = trained(jax.jit(decoder.init)(jax.random.key(0), memory, memory_slots, queries))
    apply = jax.jit(decoder.apply)

    def decode(memory, words, n_words):
        return np.asarray(apply(params, memory, memory_slots, queries, (words, jnp.array(n_words, jnp.int32))))

    plain = decode(memory, words, [3, 2])
    np.testing.assert_allclose(decode(memory, words, [0, 0]), apply(params, memory, memory_slots, queries), atol=1e-6)
    assert np.abs(plain - decode(memory, words, [3, 1]))[1].max() > 1e-4  # one word less
    moved = decode(memory.at[0, 2].set(9.0), words.at[0, 3].set(9.0).at[1, 2:].set(9.0), [3, 2])
    np.testing.assert_array_equal(moved, plain)
    np.testing.assert_allclose(
        decode(memory, words.at[0, :3].set(words[0, jnp.array([2, 0, 1])]), [3, 2]), plain, atol=1e-5
    )
    for word in range(3):
        assert np.abs(decode(memory, words.at[0, word].add(2.0), [3, 2]) - plain)[0].max() > 1e-4
