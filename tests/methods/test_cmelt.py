"""C-MELT on the contract: which report is read, what its words and labels are, and what the released switches do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.methods.cmelt.config import CMeltConfig, Negatives
from cgdmer_jax.methods.cmelt.method import NEGATIVES
from cgdmer_jax.methods.losses.matching import read_pairs
from cgdmer_jax.methods.protocol import Embedder, Method, TextEmbedder
from cgdmer_jax.models.ecg.sequence import FrontEnd
from cgdmer_jax.models.masking.slots import hide_leads
from cgdmer_jax.models.transformer import Size
from tests.methods.cmelt_small import CONFIG, PATCH, RELEASED, make_cmelt, table_of, weights_of, with_negatives
from tests.methods.conftest import NO_REPORT, SAMPLES, SHORT, TEXT_ID, TWIN, WHOLE

SEEDS = 60


@pytest.fixture(scope="module")
def found(batch):
    return with_negatives(batch)


@pytest.fixture(scope="module")
def drawn(found):
    """Draws of many steps, each with an axis of steps in front; as NumPy."""
    cmelt = make_cmelt()
    keys = jax.random.split(jax.random.key(5), SEEDS)
    draws = jax.jit(jax.vmap(lambda key: cmelt.draw(key, found, jnp.float32(0))))(keys)
    return jax.tree.map(np.asarray, draws)


@pytest.fixture(scope="module")
def words(drawn):
    """(what stands in the report after masking, where words are masked) [step, record, token]."""
    read, masked = drawn.read.tokens.copy(), np.zeros(drawn.read.tokens.shape, bool)
    for step, record in np.ndindex(read.shape[:2]):
        n = drawn.masked.slots.length[step, record]
        at = drawn.masked.slots.index[step, record, :n]
        masked[step, record, at] = True
        read[step, record, at] = drawn.masked.replacement[step, record, :n]
    return read, masked


def test_about_half_of_the_reports_are_replaced_and_a_record_without_any_never(drawn):
    replaced = drawn.read.replaced
    assert 0.4 < np.delete(replaced, NO_REPORT, axis=1).mean() < 0.6
    assert not replaced[:, NO_REPORT].any()
    assert replaced.sum(0)[WHOLE] not in (0, SEEDS)


def test_a_replaced_report_is_a_negative_of_the_table_with_its_own_id_and_length(drawn, found):
    table, seen = table_of(TEXT_ID), set()
    for step, record in np.argwhere(drawn.read.replaced):
        number = drawn.read.text_id[step, record] - table[record, 0, 0]
        seen.add((record, number))
        theirs = table[record, number]
        assert drawn.read.text_id[step, record] == theirs[0] and drawn.read.length[step, record] == theirs[1]
        np.testing.assert_array_equal(drawn.read.tokens[step, record], theirs[2:])
    assert len(seen) == 7 * 3  # every negative of every report comes up
    for step, record in np.argwhere(~drawn.read.replaced):
        np.testing.assert_array_equal(drawn.read.tokens[step, record], found.tokens[record])
        assert drawn.read.text_id[step, record] == TEXT_ID[record]


def test_after_masking_a_replaced_report_still_differs_from_the_records_own(drawn, words, found):
    """What the released collator undoes: it encodes the records' own reports again when words are masked."""
    after, masked = words
    for step, record in np.argwhere(drawn.read.replaced):
        length = drawn.read.length[step, record]
        visible = ~masked[step, record] & (np.arange(after.shape[2]) < length)
        np.testing.assert_array_equal(after[step, record][visible], drawn.read.tokens[step, record][visible])
        assert np.any(after[step, record][visible] != np.asarray(found.tokens)[record][visible])


def test_masked_words_and_their_labels_lie_in_the_report_that_is_read(drawn, words):
    _, masked = words
    length = drawn.read.length
    for step, record in np.ndindex(length.shape):
        at = np.flatnonzero(masked[step, record])
        assert np.all((at > 0) & (at < length[step, record] - 1))  # no end, no padding
        n_words = max(int(length[step, record]) - 2, 0)
        assert len(at) == min(max(1, round(0.25 * n_words)), 3) * (n_words > 0)
        labels = drawn.read.tokens[step, record, at]
        assert np.all(labels >= 5)


def test_text_with_the_same_tokens_is_no_other_report_and_is_never_put_in(found):
    """Reports that differ beyond max_tokens alone; the id of the record's own text too."""
    table = np.array(table_of(TEXT_ID))
    table[WHOLE, :, 1] = np.asarray(found.token_mask)[WHOLE].sum()
    table[WHOLE, :, 2:] = np.asarray(found.tokens)[WHOLE]
    table[SHORT, :, 0] = TEXT_ID[SHORT]
    cmelt, keys = make_cmelt(replaced=0.99), jax.random.split(jax.random.key(5), SEEDS)
    changed = found._replace(text_columns={NEGATIVES: jnp.asarray(table)})
    replaced = jax.jit(jax.vmap(lambda key: cmelt.draw(key, changed, jnp.float32(0)).read.replaced))(keys)
    assert not replaced[:, [WHOLE, SHORT]].any() and replaced[:, TWIN].mean() > 0.9


def test_the_pair_of_a_replaced_report_is_a_negative_and_identical_texts_never_are():
    """Records 0 and 1 have report 4; record 1 reads 9 in its place, record 2 reads 4, record 3 has no report."""
    own, read = jnp.array([4, 4, 5, -1]), jnp.array([4, 9, 4, -1])
    live, positive, negative = read_pairs(own, read)
    np.testing.assert_array_equal(live, [True, True, True, False])
    np.testing.assert_array_equal(positive, [[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    expected = [[0, 1, 0, 0], [0, 1, 0, 0], [1, 1, 1, 0], [0, 0, 0, 0]]
    np.testing.assert_array_equal(negative, np.array(expected, bool))


def test_leads_are_masked_one_by_one_and_one_always_stays():
    present = jnp.array([[True] * 12, [True] * 3 + [False] * 9, [False] * 12])
    keys = jax.random.split(jax.random.key(0), 400)
    kept = np.asarray(jax.jit(jax.vmap(lambda key: hide_leads(key, present, 0.5)))(keys))
    assert not (kept & ~np.asarray(present)).any()
    assert kept[:, :2].any(2).all()
    np.testing.assert_allclose(kept[:, 0].mean(0), 0.5, atol=0.1)
    np.testing.assert_allclose(kept[:, 1].sum(1).mean(), 1.5 + 1 / 8, atol=0.1)


@pytest.fixture(scope="module")
def front_ends():
    """name -> function of [batch, patch, sample, lead]."""

    def made(released):
        module = FrontEnd(8, released)
        params = module.init(jax.random.key(0), jnp.zeros((1, 4, PATCH, 12)))
        return jax.jit(lambda x: module.apply(params, x))

    return {"local": made(False), "released": made(True)}


def test_a_token_is_made_of_its_own_samples_alone_and_keeps_the_voltage_unless_released(front_ends):
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 25, PATCH, 12)), jnp.float32)
    loud, hidden = 3 * x, x.at[:, 20:].multiply(50)
    for name, front in front_ends.items():
        plain, released = np.asarray(front(x)), name == "released"
        assert np.array_equal(front(hidden)[:, :20], plain[:, :20]) == (not released)
        size = np.linalg.norm(plain)
        assert (np.linalg.norm(front(loud) - plain) < 1e-3 * size) == released


@pytest.mark.parametrize("released", [False, True])
def test_features_and_texts_are_of_one_width_and_each_record_is_embedded_by_itself(released, found):
    cmelt = make_cmelt(**RELEASED if released else {})
    assert isinstance(cmelt, Method) and isinstance(cmelt, Embedder) and isinstance(cmelt, TextEmbedder)
    weights = weights_of(cmelt, found)
    embed = jax.jit(lambda batch: (cmelt.embed_ecg(weights, batch), cmelt.embed_text(weights, *batch[4:6])))
    ecg, text = embed(found)
    assert ecg.keys() == {"main", "encoder", "aligned"}
    assert ecg["aligned"].shape == text.shape == (8, CONFIG.fusion.width)
    norms = np.linalg.norm(ecg["aligned"], axis=1), np.linalg.norm(text, axis=1)
    assert all(np.allclose(norm, 1, atol=1e-5) for norm in norms) == (not released)
    order = np.array([5, 0, 3, 3, 1, 7, 2, 6])
    other, other_text = embed(jax.tree.map(lambda x: x[order], found))
    np.testing.assert_allclose(other_text, text[order], rtol=1e-5, atol=1e-6)
    for name, value in other.items():
        np.testing.assert_allclose(value, ecg[name][order], rtol=1e-5, atol=1e-6)


def test_as_released_padding_is_read_and_what_stands_there_moves_a_text(found):
    tokens, mask = found.tokens, found.token_mask
    padded = jnp.where(mask, tokens, 7)
    for padding in (False, True):
        cmelt = make_cmelt(text_padding=padding)
        weights = weights_of(cmelt, found)
        embed = jax.jit(lambda t, cmelt=cmelt, weights=weights: cmelt.embed_text(weights, t, mask))
        assert np.array_equal(embed(tokens)[WHOLE], embed(padded)[WHOLE]) == (not padding)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"fusion": Size(16, 1, 2)}, r"fusion\.depth is 1; give 2 at least"),
        ({"ecg": Size(24, 1, 2), "front_end": "released"}, r"ecg\.width is 24; the released front end needs a mult"),
        ({"text_tower": "a folder"}, "give the first alone"),
        ({"negatives": Negatives(low=0.9)}, r"negatives has low 0\.9 above high 0\.8"),
    ],
)
def test_fields_that_do_not_go_together_are_refused(fields, sentence):
    with pytest.raises(CgdmerError, match=sentence):
        CMeltConfig(**fields)


def test_a_token_longer_than_half_the_recording_is_refused():
    assert SAMPLES // 2**7 < 2
    with pytest.raises(CgdmerError, match="halvings is 7, which makes 1 tokens of a recording's 200 samples"):
        make_cmelt(halvings=7)
