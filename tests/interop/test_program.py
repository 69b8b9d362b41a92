"""Compiled programs in the user's cache: used again by another process, never wrong, never in the way."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from jax.experimental.compilation_cache import compilation_cache

from cgdmer_jax.interop import user_cache
from cgdmer_jax.interop.program import Program

NUMBERS = np.arange(12, dtype=np.float32).reshape(3, 4)


def sums(x):
    return {"sum": x.sum(1), "sorted": jax.numpy.sort(-x, axis=1)}


@pytest.fixture(autouse=True)
def without_the_cache_of_jax():
    """Which the tests have, and beside which a program keeps none of its own."""
    folder = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", None)
    compilation_cache.reset_cache()
    yield
    jax.config.update("jax_compilation_cache_dir", folder)
    compilation_cache.reset_cache()


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("CGDMER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def check_result(program: Program) -> None:
    jax.clear_caches()  # as in another process
    made = program(NUMBERS)
    np.testing.assert_array_equal(made["sum"], NUMBERS.sum(1))
    np.testing.assert_array_equal(made["sorted"], np.sort(-NUMBERS, axis=1))


def compiled_how_often(monkeypatch) -> list:
    """A list that grows by one with every compilation."""
    seen = []
    compile_one = jax.stages.Lowered.compile
    monkeypatch.setattr(jax.stages.Lowered, "compile", lambda self: (seen.append(self), compile_one(self))[1])
    return seen


def test_a_program_is_compiled_once_for_all_processes(cache, monkeypatch):
    seen = compiled_how_often(monkeypatch)
    for _ in range(2):
        program = Program(sums)
        check_result(program)
        check_result(program)
    assert len(seen) == 1 and len(list(cache.iterdir())) == 1
    check_result(Program(lambda x: sums(x) | {"more": x}))  # another program is another entry
    assert len(seen) == 2 and len(list(cache.iterdir())) == 2
    assert cache.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "sealed nonsense"])
def test_a_damaged_entry_is_compiled_again_and_replaced(cache, monkeypatch, damage):
    check_result(Program(sums))
    [entry] = cache.iterdir()
    whole = entry.read_bytes()
    if damage == "sealed nonsense":  # whole, and yet no program of this version
        user_cache.write(entry.name, b"nonsense")
    else:
        flipped = bytes([*whole[:500], whole[500] ^ 1, *whole[501:]])
        entry.write_bytes({"cut": whole[:-9], "flipped": flipped, "empty": b""}[damage])
    seen = compiled_how_often(monkeypatch)
    check_result(Program(sums))
    check_result(Program(sums))
    assert len(seen) == 1


def test_a_cache_that_cannot_be_used_is_no_error(cache, monkeypatch, tmp_path):
    cache.write_text("a file where the folder would be")
    check_result(Program(sums))
    monkeypatch.setenv("CGDMER_CACHE", "off")
    check_result(Program(sums))
    others = tmp_path / "others"
    others.mkdir()
    others.chmod(0o777)  # whoever may write there could have the program do anything
    monkeypatch.setenv("CGDMER_CACHE", str(others))
    check_result(Program(sums))
    assert not list(others.iterdir())
    monkeypatch.delenv("CGDMER_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    check_result(Program(sums))
    assert len(list((tmp_path / "xdg/cgdmer_jax").iterdir())) == 1


def test_the_cache_keeps_within_its_size_and_what_was_used_last(cache, monkeypatch):
    monkeypatch.setattr(user_cache, "MOST_BYTES", 4000)
    for number in range(3):
        user_cache.write(f"{number}", bytes(1000))
        os.utime(cache / f"{number}", (number, number))
    assert user_cache.read("0") == bytes(1000)  # of use just now
    user_cache.write("3", bytes(1000))
    assert sorted(file.name for file in cache.iterdir()) == ["0", "2", "3"]
    user_cache.write("4", bytes(3000))  # too large for its neighbours
    assert user_cache.read("4") is None


def test_a_cache_of_jax_that_the_user_has_set_is_used_alone(cache, tmp_path):
    """In a process of its own: JAX looks once for its cache."""
    code = (
        "import jax, numpy as np; from cgdmer_jax.interop.program import Program; "
        "jax.config.update('jax_persistent_cache_min_compile_time_secs', 0); "
        "before = str(jax.config.values); Program(lambda x: x + 1)(np.zeros(3)); "
        "assert before == str(jax.config.values)"
    )
    own = tmp_path / "jax"
    for folder in (own, None):
        named = {} if folder is None else {"JAX_COMPILATION_CACHE_DIR": str(folder)}
        env = {name: value for name, value in os.environ.items() if name != "JAX_COMPILATION_CACHE_DIR"} | named
        subprocess.run([sys.executable, "-c", code], env=env, check=True)
        assert cache.exists() is (folder is None)
    assert list(own.iterdir())


def test_what_a_program_is_given_and_does_not_read_is_part_of_which_program_it_is(cache):
    """As the words of another vocabulary, of which the embedding of a recording needs none."""
    for n_words in (3, 5, 3):
        jax.clear_caches()
        words = np.zeros((n_words, 2), np.float32)
        np.testing.assert_array_equal(Program(lambda words, x: x + 1)(words, NUMBERS), NUMBERS + 1)
    assert len(list(cache.iterdir())) == 2


def test_a_large_constant_is_part_of_which_program_it_is(cache):
    for number in (1.0, 2.0):
        jax.clear_caches()
        table = np.arange(20_000, dtype=np.float32)
        table[7777] = number
        made = Program(lambda x, table=table: x.sum() + jax.numpy.asarray(table))(NUMBERS)
        assert made[7777] == NUMBERS.sum() + number
