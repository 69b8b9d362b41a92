"""Outcome of a command or a function for its user: an exit code and a sentence."""

import contextlib
import io
import sys
from collections.abc import Callable
from typing import NamedTuple
from unittest import mock

from cgdmer_jax import cli


class Outcome(NamedTuple):
    """The exit code (None: an exception in Python) and the sentence that a user gets."""

    code: int | None
    sentence: str


def run(main: Callable[[list[str]], int], words: list[str], *, resumes: bool = False) -> Outcome:
    """A command as its process would end; `resumes` as the command gives it to `command.run`."""
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.object(sys, "argv", ["x", *words]),
    ):
        try:
            cli.run(main, resumes=resumes)
        except SystemExit as end:
            code = end.code
    said = next((text for text in err.getvalue().splitlines() if text.startswith("error: ")), "")
    return Outcome(code, said.removeprefix("error: ") or out.getvalue())


def raised(call: Callable) -> Outcome:
    try:
        call()
    except ValueError as error:
        return Outcome(None, str(error))
    return Outcome(None, "nothing was refused")
