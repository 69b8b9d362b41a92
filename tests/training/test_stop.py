"""Signals set a flag, and only while it is entered."""

import os
import signal

import pytest

from cgdmer_jax.training.stop import SIGNALS, STOPPING, StopFlag


@pytest.fixture
def listening():
    """Ctrl-C is heard even where the tests run as a shell's background job, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_sets_the_flag_and_the_handlers_before_come_back(number):
    before = {s: signal.getsignal(s) for s in SIGNALS}
    with StopFlag() as stop:
        assert not stop.is_set
        os.kill(os.getpid(), number)
        assert stop.is_set
    assert {s: signal.getsignal(s) for s in SIGNALS} == before


def test_a_signal_is_answered_at_once_though_the_stop_takes_a_step(capfd, listening):
    with StopFlag():
        os.kill(os.getpid(), signal.SIGINT)
        assert capfd.readouterr().err == STOPPING
        os.kill(os.getpid(), signal.SIGTERM)
        assert capfd.readouterr().err == ""


def test_handlers_come_back_after_an_error_too():
    before = {s: signal.getsignal(s) for s in SIGNALS}
    with pytest.raises(KeyError), StopFlag():
        raise KeyError
    assert {s: signal.getsignal(s) for s in SIGNALS} == before


def test_a_second_ctrl_c_interrupts_at_once_but_a_second_sigterm_waits(listening):
    with StopFlag():
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
