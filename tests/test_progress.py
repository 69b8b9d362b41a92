"""A log file is not filled with a bar that moves every second."""

import errno
import fcntl
import io
import os
import pty
import struct
import sys
import termios

import pytest

from cgdmer_jax.progress import progress_bar, tell


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("out", "seconds"), [(io.StringIO(), 30.0), (Terminal(), 1.0)], ids=["file", "terminal"])
def test_the_bar_is_drawn_rarely_into_a_file(monkeypatch, out, seconds):
    monkeypatch.setattr(sys, "stderr", out)
    with progress_bar(5, "record", "read", done=2) as bar:
        assert (bar.mininterval, bar.n) == (seconds, 2)
        bar.update(3)
    assert "5/5" in out.getvalue(), "the end is drawn whatever the clock says"


@pytest.mark.parametrize("kind", [io.StringIO, Terminal])
def test_a_sentence_is_a_line_of_its_own_above_the_bar(monkeypatch, kind):
    out = kind()  # one screen for both
    monkeypatch.setattr(sys, "stderr", out)
    monkeypatch.setattr(sys, "stdout", out)
    with progress_bar(5, "record", "read") as bar:
        drawn = len(out.getvalue())
        tell(bar, "b: left out")
    before, _, told = out.getvalue()[: drawn + 400].partition("b: left out")
    assert told.startswith("\n") and out.getvalue().count("b: left out") == 1
    if kind is Terminal:
        assert not before.rpartition("\r")[2].strip(), "the bar was not wiped before the sentence"


class Full(io.StringIO):
    def write(self, text):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_under_stderr_takes_the_bar_and_not_the_run(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Full())
    with progress_bar(5, "record", "read") as bar:
        bar.update(5)
    assert bar.n == 5


def test_the_bar_is_as_wide_as_the_screen(monkeypatch):
    reader, screen = pty.openpty()
    fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 120, 0, 0))
    with os.fdopen(screen, "w") as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        with progress_bar(5, "record", "read") as bar:
            bar.update(5)
        drawn = os.read(reader, 4096).decode().replace("\n", "\r").split("\r")
    os.close(reader)
    assert max(len(line) for line in drawn) in (119, 120)
