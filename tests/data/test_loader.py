"""Batches as a pure function of corpus, selection, batch size, seed and step."""

import threading
import time
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cgdmer_jax.data.corpus import Corpus, open_corpus
from cgdmer_jax.data.loader import Loader, sequential_batches, shuffled
from cgdmer_jax.data.record_columns import with_record_columns
from cgdmer_jax.errors import CgdmerError
from tests.data.small_stores import FIRST_VALUE, N_SAMPLES, TASK, stored_uv, write_store

N = 43
TEXTS = ["first report", "second report", "third report"]
TOKENS = np.array([[2, 10, 3, 0], [2, 11, 12, 3], [2, 3, 0, 0]], np.int32)
MASK = TOKENS > 0
ALL = np.arange(N)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    folder = tmp_path_factory.mktemp("stores")
    reports = [None if row % 7 == 3 else TEXTS[row % 3] for row in range(N)]
    return open_corpus([write_store(folder / "a", reports)])


def loader(corpus, lines=ALL, batch_size=8, seed=0, process_index=0, process_count=1) -> Loader:
    hosts = {"process_index": process_index, "process_count": process_count}
    return Loader(corpus, lines, TOKENS, MASK, batch_size=batch_size, seed=seed, **hosts)


def read_ahead_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("read-ahead")]


def assert_equal(one, other):
    for field, a, b in zip(one._fields, one, other, strict=True):
        np.testing.assert_array_equal(a, b, err_msg=field)


# Properties: any selection, batch size, seed, step and number of hosts


class Drawn(NamedTuple):
    lines: list[int]
    batch_size: int
    seed: int
    hosts: int  # divides the batch size


@st.composite
def runs(draw) -> Drawn:
    lines = draw(st.permutations(range(N)))[: draw(st.integers(1, N))]
    batch_size = draw(st.integers(1, len(lines)))
    hosts = draw(st.sampled_from([n for n in range(1, batch_size + 1) if batch_size % n == 0]))
    return Drawn(lines, batch_size, draw(st.integers(0, 2**31 - 1)), hosts)


def loader_of(corpus, run: Drawn, **hosts) -> Loader:
    return loader(corpus, np.array(run.lines), run.batch_size, run.seed, **hosts)


@settings(max_examples=60)
@given(run=runs(), step=st.integers(0, 100))
def test_any_number_of_hosts_reads_together_the_batch_of_one_record_by_record(corpus, run, step):
    rows = loader_of(corpus, run).batch(step).row.tolist()
    assert len(rows) == run.batch_size
    share = run.batch_size // run.hosts
    for host in range(run.hosts):
        batch = loader_of(corpus, run, process_index=host, process_count=run.hosts).batch(step).check()
        assert batch.row.tolist() == rows[host * share : (host + 1) * share]
        for place, row in enumerate(batch.row.tolist()):
            text = None if row % 7 == 3 else row % 3
            np.testing.assert_array_equal(batch.signal[place], stored_uv(row))
            assert batch.lead_mask[place].tolist() == [True] * 11 + [row % 2 == 0]
            assert batch.length[place] == N_SAMPLES - row % 3
            assert batch.tokens[place].tolist() == ([0] * 4 if text is None else TOKENS[text].tolist())
            assert batch.token_mask[place].tolist() == ([False] * 4 if text is None else MASK[text].tolist())
            assert batch.text_id[place] == (-1 if text is None else text)


@settings(max_examples=100)
@given(run=runs(), epoch=st.integers(0, 20))
def test_any_epoch_holds_each_selected_record_once_but_for_the_incomplete_last_batch(corpus, run, epoch):
    batches = loader_of(corpus, run)
    n = batches.steps_per_epoch
    assert n == len(run.lines) // run.batch_size
    seen = [line for step in range(n * epoch, n * (epoch + 1)) for line in batches.lines_of_step(step).tolist()]
    assert len(seen) == len(set(seen)) == n * run.batch_size and set(seen) <= set(run.lines)


@settings(max_examples=30)
@given(run=runs(), first=st.integers(0, 8), more=st.integers(0, 4), host=st.integers(0, N))
def test_starting_at_any_step_gives_what_an_uninterrupted_run_gives(corpus, run, first, more, host):
    hosts = {"process_index": host % run.hosts, "process_count": run.hosts}
    whole = list(loader_of(corpus, run, **hosts).prefetch(0, first + more))
    resumed = list(loader_of(corpus, run, **hosts).prefetch(first, first + more))
    assert len(whole) == first + more
    for one, other in zip(whole[first:], resumed, strict=True):
        assert_equal(one, other)


# Order


def test_an_epoch_holds_no_record_twice_and_the_next_one_has_another_order(corpus):
    batches = loader(corpus)
    assert batches.steps_per_epoch == 5
    epochs = [np.concatenate([batches.lines_of_step(5 * e + s) for s in range(5)]) for e in range(2)]
    assert [len(set(epoch.tolist())) for epoch in epochs] == [40, 40]
    assert not np.array_equal(*epochs)
    assert not np.array_equal(epochs[0], np.sort(epochs[0]))


def test_records_left_out_of_an_epoch_change_from_epoch_to_epoch(corpus):
    batches = loader(corpus)
    seen = np.concatenate([batches.lines_of_step(step) for step in range(5 * 6)])
    assert set(seen.tolist()) == set(range(N))


def test_each_position_is_uniform_over_the_records(corpus):
    first = np.concatenate([loader(corpus, seed=seed).lines_of_step(0)[:1] for seed in range(2000)])
    expected = 2000 / N
    chi_squared = ((np.bincount(first, minlength=N) - expected) ** 2 / expected).sum()
    assert chi_squared < 76  # 99.9 % quantile of chi-squared with 42 degrees of freedom


def test_step_alone_gives_the_batch_whatever_was_asked_before(corpus):
    used = loader(corpus)
    for step in (0, 11, 3, 4, 17):
        assert_equal(used.batch(step), loader(corpus).batch(step))


def test_order_of_the_selection_does_not_matter_but_its_content_seed_and_batch_size_do(corpus):
    base = loader(corpus).lines_of_step(0)
    np.testing.assert_array_equal(base, loader(corpus, ALL[::-1].copy()).lines_of_step(0))
    for other in (loader(corpus, ALL[:-1]), loader(corpus, seed=1), loader(corpus, batch_size=10)):
        assert not np.array_equal(base, other.lines_of_step(0)[:8])
    shifted = loader(corpus, ALL[1:]).lines_of_step(0) - 1  # as many rows, but others
    assert not np.array_equal(shifted, loader(corpus, ALL[:-1]).lines_of_step(0))


def test_another_fingerprint_gives_another_order(corpus, tmp_path):
    reports = [TEXTS[0]] * N
    other = open_corpus([write_store(tmp_path / "b", reports)])
    assert not np.array_equal(loader(corpus).lines_of_step(0), loader(other).lines_of_step(0))


def test_shuffled_order_never_changes_between_versions():
    # Another order would break every resumed run in silence.
    assert shuffled(8, "store rows 8 0 0").tolist() == [0, 1, 2, 7, 3, 5, 6, 4]


@pytest.mark.parametrize("process_count", [1, 2, 4])
def test_slices_of_all_hosts_joined_are_the_batch_of_one_host(corpus, process_count):
    for step in (0, 4, 9):
        whole = loader(corpus).batch(step)
        parts = [
            loader(corpus, process_index=index, process_count=process_count).batch(step)
            for index in range(process_count)
        ]
        assert {len(part.row) for part in parts} == {8 // process_count}
        for field in (name for name in whole._fields if not name.endswith("_columns")):
            joined = np.concatenate([getattr(part, field) for part in parts])
            np.testing.assert_array_equal(joined, getattr(whole, field), err_msg=field)


def test_batch_holds_the_records_of_its_lines_and_meets_the_contract(corpus):
    batches = loader(corpus)
    lines = batches.lines_of_step(2)
    batch = batches.batch(2).check()
    np.testing.assert_array_equal(batch.row, lines)
    np.testing.assert_array_equal(batch.signal[:, 0, 0], FIRST_VALUE + lines)
    np.testing.assert_array_equal(batch.lead_mask[:, 11], lines % 2 == 0)
    np.testing.assert_array_equal(batch.length, N_SAMPLES - lines % 3)
    assert batch.text_columns == {}


def test_record_without_clinical_text_has_padding_only(corpus):
    seen = 0
    for step in range(5):
        batch = loader(corpus).batch(step)
        without = batch.text_id == -1
        seen += without.sum()
        np.testing.assert_array_equal(without, batch.row % 7 == 3)
        assert not batch.tokens[without].any() and not batch.token_mask[without].any()
        np.testing.assert_array_equal(batch.tokens[~without], TOKENS[batch.text_id[~without]])
        np.testing.assert_array_equal(batch.token_mask[~without], MASK[batch.text_id[~without]])
    assert seen > 0


def test_corpus_without_any_text_gives_padding_only(tmp_path):
    silent = open_corpus([write_store(tmp_path / "silent", [None] * 4)])
    empty = np.zeros((0, 4), np.int32)
    batch = Loader(silent, np.arange(4), empty, empty > 0, batch_size=2, seed=0).batch(0).check()
    assert batch.tokens.shape == (2, 4) and not batch.token_mask.any()


LABELS = f"labels:{TASK}"


def labels_of(rows):
    """As small_stores writes them: record r has code r % 2."""
    return np.arange(2) == rows[:, None] % 2


def test_record_columns_are_those_of_the_batchs_own_records_on_any_number_of_hosts(corpus):
    labelled = with_record_columns(corpus, (LABELS,))
    for step in range(7):  # into the second epoch
        whole = loader(labelled).batch(step).check()
        np.testing.assert_array_equal(whole.record_columns[LABELS], labels_of(whole.row))
        parts = [loader(labelled, process_index=host, process_count=2).batch(step).check() for host in range(2)]
        both = np.concatenate([part.record_columns[LABELS] for part in parts])
        np.testing.assert_array_equal(both, whole.record_columns[LABELS])
        assert_equal(whole._replace(record_columns={}), loader(corpus).batch(step))


def test_a_batch_that_is_filled_up_repeats_the_last_records_columns_too(corpus):
    lines = np.array([5, 40, 2, 17])
    batches = list(sequential_batches(with_record_columns(corpus, (LABELS,)), lines, TOKENS, MASK, 3))
    for (batch, _), rows in zip(batches, ([5, 40, 2], [17, 17, 17]), strict=True):
        np.testing.assert_array_equal(batch.check().record_columns[LABELS], labels_of(np.array(rows)))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("labels:finding", 'has no task "finding".*"findings"'),
        ("beats", '"beats" is in no store; name one as labels:TASK'),
    ],
)
def test_a_record_column_that_no_store_has_is_refused_by_name(corpus, name, message):
    with pytest.raises(CgdmerError, match=message):
        with_record_columns(corpus, (name,))


@pytest.mark.parametrize("field", ["text_columns", "record_columns"])
def test_a_column_with_other_rows_than_the_batch_is_refused(corpus, field):
    batch = loader(corpus).batch(0)._replace(**{field: {"x": np.zeros((7, 2))}})
    with pytest.raises(CgdmerError, match=rf'{field} has "x" as float64\[7, 2\], expected 8 rows'):
        batch.check()


def test_prefetch_gives_the_same_batches_in_order(corpus):
    batches = loader(corpus)
    for step, batch in zip(range(3, 14), batches.prefetch(3, 14), strict=True):
        assert_equal(batch, loader(corpus).batch(step))
    assert read_ahead_threads() == []


def test_prefetch_reads_two_ahead_and_no_further(corpus, monkeypatch):
    batches = loader(corpus)
    steps = []
    read = batches.batch
    monkeypatch.setattr(batches, "batch", lambda step: (steps.append(step), read(step))[1])
    ahead = batches.prefetch(0, 100)
    next(ahead)
    deadline = time.monotonic() + 1800
    while len(steps) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)
    assert steps == [0, 1, 2]
    ahead.close()


def test_error_of_the_reading_thread_reaches_the_consumer_and_ends_the_thread(corpus, monkeypatch):
    batches = loader(corpus)
    read = batches.batch

    def failing(step):
        if step == 2:
            raise CgdmerError("row 7 fails its checksum")
        return read(step)

    monkeypatch.setattr(batches, "batch", failing)
    seen = []
    with pytest.raises(CgdmerError, match="row 7"):
        for batch in batches.prefetch(0, 10):
            seen.append(batch)
    assert len(seen) == 2
    assert read_ahead_threads() == []


def test_closing_the_iterator_stops_the_reading_thread(corpus):
    ahead = loader(corpus).prefetch(0, 1000)
    next(ahead)
    assert len(read_ahead_threads()) == 1
    ahead.close()
    assert read_ahead_threads() == []


def test_sequential_batches_cover_every_line_once_and_have_one_shape(corpus):
    lines = np.array([5, 40, 2, 17, 3, 8, 30])
    batches = list(sequential_batches(corpus, lines, TOKENS, MASK, 3))
    assert [n_real for _, n_real in batches] == [3, 3, 1]
    assert {batch.check().signal.shape for batch, _ in batches} == {(3, 12, N_SAMPLES)}
    rows = np.concatenate([batch.row[:n_real] for batch, n_real in batches])
    np.testing.assert_array_equal(rows, lines)
    np.testing.assert_array_equal(batches[-1][0].row, [30, 30, 30])


@pytest.mark.parametrize(
    ("batch_size", "hosts", "message"),
    [
        (44, {}, "does not fit the 43 selected records"),
        (0, {}, "does not fit"),
        (9, {"process_index": 0, "process_count": 2}, "cannot be shared by 2 processes"),
    ],
)
def test_batch_size_that_cannot_work_is_refused(corpus, batch_size, hosts, message):
    with pytest.raises(CgdmerError, match=message):
        loader(corpus, batch_size=batch_size, **hosts)
