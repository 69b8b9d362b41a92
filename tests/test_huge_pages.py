"""A command asks for huge pages by starting itself anew, as the same process with the same words."""

import os
import subprocess
import sys

import pytest

from cgdmer_jax import huge_pages

PROGRAM = """
import os, sys
from cgdmer_jax import huge_pages
huge_pages.start_again_with_them()
print([os.getpid(), os.environ.get("GLIBC_TUNABLES"), sys.argv[1:], sys.flags.dont_write_bytecode])
"""


@pytest.fixture
def told(tmp_path):
    """What a process with these tunables and words says of itself once it has got so far."""

    def run(tunables: str | None, *words: str) -> list:
        (tmp_path / "program.py").write_text(PROGRAM)
        environment = {name: value for name, value in os.environ.items() if name != huge_pages.TUNABLES}
        environment |= {} if tunables is None else {huge_pages.TUNABLES: tunables}
        command = [sys.executable, "-B", str(tmp_path / "program.py"), *words]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        pid, *rest = eval(process.communicate()[0])
        assert (process.returncode, pid) == (0, process.pid), "a launcher goes on watching the same process"
        return rest

    return run


def on_request() -> bool:
    try:
        libc, version = os.confstr("CS_GNU_LIBC_VERSION").split()
        new = libc == "glibc" and tuple(map(int, version.split("."))) >= (2, 35)
        return new and "[madvise]" in huge_pages.ENABLED.read_text()
    except (OSError, ValueError):
        return False


def test_a_process_asks_where_the_kernel_gives_on_request_and_keeps_its_words(told):
    words = ("--config=a b", "", "--x=ä")
    asked = "glibc.malloc.hugetlb=1" if on_request() else None
    assert told(None, *words) == [asked, [*words], 1]


def test_the_other_tunables_of_a_user_stay(told):
    asked = "glibc.malloc.arena_max=1:glibc.malloc.hugetlb=1" if on_request() else "glibc.malloc.arena_max=1"
    assert told("glibc.malloc.arena_max=1")[0] == asked


@pytest.mark.parametrize("own", ["glibc.malloc.hugetlb=0", "glibc.malloc.hugetlb=2"])
def test_a_users_own_choice_of_pages_stays(told, own):
    assert told(own)[0] == own


@pytest.mark.parametrize("enabled", ["always madvise [never]", "[always] madvise never", None])
def test_nothing_starts_anew_where_there_is_nothing_to_ask_for(tmp_path, monkeypatch, enabled):
    started = []
    file = tmp_path / "enabled"
    if enabled:
        file.write_text(enabled)
    monkeypatch.setattr(huge_pages, "ENABLED", file)
    monkeypatch.delenv(huge_pages.TUNABLES, raising=False)
    monkeypatch.setattr(os, "execve", lambda *given: started.append(given))
    monkeypatch.setattr(sys, "argv", ["cgdmer"])
    huge_pages.start_again_with_them()
    assert not started


def test_a_command_that_is_called_within_a_process_does_not_start_it_anew(tmp_path, monkeypatch):
    started = []
    (tmp_path / "enabled").write_text("always [madvise] never")
    monkeypatch.setattr(huge_pages, "ENABLED", tmp_path / "enabled")
    monkeypatch.setattr(os, "confstr", lambda name: "glibc 2.36")
    monkeypatch.delenv(huge_pages.TUNABLES, raising=False)
    monkeypatch.setattr(os, "execve", lambda *given: started.append(given))
    monkeypatch.setattr(sys, "argv", ["cgdmer", "embed", "--model=another than pytest was started with"])
    huge_pages.start_again_with_them()
    assert not started
    monkeypatch.setattr(sys, "argv", ["cgdmer", *sys.orig_argv[1:]])
    huge_pages.start_again_with_them()
    ((program, words, environment),) = started
    assert (program, words) == (sys.executable, [sys.executable, *sys.orig_argv[1:]])
    assert environment == {**os.environ, "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
