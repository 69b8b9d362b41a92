"""A save that fails ends at once and leaves nothing behind: no thread, no file, no word but the one sentence."""

import asyncio
import threading

import jax
import pytest

from cgdmer_jax.training.checkpoint import Checkpoints, NotWritten
from cgdmer_jax.training.orbax_loops import SettlingLoop
from tests.full_disk import disk_of_files
from tests.training.toy import new_state


def test_a_loop_closes_once_what_was_begun_in_it_has_ended():
    loop, may_end, ended = SettlingLoop(), threading.Event(), []

    async def fail():
        raise ValueError("the first of many")

    async def late():
        ended.append(await asyncio.to_thread(may_end.wait))
        raise ValueError("another one, which nobody waits for")

    async def both():
        await asyncio.gather(late(), fail())

    with pytest.raises(ValueError, match="the first of many"):
        loop.run_until_complete(both())
    may_end.set()
    loop.close()
    assert ended == [True] and loop.is_closed()


def test_orbax_alone_gets_such_loops_and_everyone_else_those_of_before(tmp_path):
    """A notebook or a web server trains in a thread; its own loops and its policy stay as they are."""
    policy, made = type(asyncio.get_event_loop_policy()), type(asyncio.new_event_loop())
    with Checkpoints(tmp_path / "c", 1) as checkpoints:
        checkpoints.save(new_state(8), None)
    assert type(asyncio.get_event_loop_policy()) is policy
    assert [type(loop) for loop in closed(asyncio.new_event_loop(), asyncio.Runner().get_loop())] == [made] * 2
    for_orbax = eval("new_event_loop()", {"__name__": "orbax.checkpoint", "new_event_loop": asyncio.new_event_loop})
    assert [type(loop) for loop in closed(for_orbax)] == [SettlingLoop]


def closed(*loops):
    for loop in loops:
        loop.close()
    return loops


@pytest.mark.parametrize("n_files", range(1, 14))
def test_a_disk_without_inodes_is_one_sentence_at_once(tmp_path, capfd, caplog, n_files):
    """Whichever file or folder is the first that cannot be made; 1 is the folder of the checkpoints."""
    arrays = {str(i): jax.random.normal(jax.random.key(i), (20_000,)) for i in range(20)}
    told = []
    with disk_of_files(tmp_path / "disk", n_files):
        with pytest.raises(NotWritten, match=r"/8 could not be written \(No space left on device\); the ear"):
            with Checkpoints(tmp_path / "disk", 9, told.append) as checkpoints:
                checkpoints.save(new_state(8)._replace(optimizer=arrays), None)
        assert list((tmp_path / "disk").iterdir()) == []
    assert len(told) == 1
    assert [thread for thread in threading.enumerate() if type(thread).__name__ == "_SignalingThread"] == []
    assert capfd.readouterr() == ("", "") and not caplog.records
