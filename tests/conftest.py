"""Shared fixtures. Shapes are checked: jaxtyping's import hook has beartype look at each function's first calls."""

import gc
import os
import platform
import signal
from importlib.metadata import version
from pathlib import Path

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

from tests import compiled, first_calls, xla_options

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ["CGDMER_CACHE"] = "off"  # tests neither read nor fill the user's own
# Inherited by the commands that tests start, so that what is compared to the bit was compiled alike.
xla_options.set_options()
compiled.keep()  # before JAX is imported, which looks once
# A shell that starts tests in the background has them ignore Ctrl-C, and so all processes that they start and signal.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
hook = install_import_hook("cgdmer_jax", f"{first_calls.__name__}.first_calls")
# Of properties: the number of examples stands beside each test; a limit in seconds would fail on a busy machine.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")

# As cgdmer_jax.cli has it: while JAX traces, looking for garbage takes a third of the time.
gc.set_threshold(50_000, 10, 10)

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real recordings and tables; skips with a reason where it is absent."""
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent: real recordings are not part of the project")
    return folder


def pytest_collection_finish():
    """Keeps the garbage collector away from what is imported by now: none of it goes before the end."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish():
    """In each worker, and in the process that started them."""
    compiled.forget()


def pytest_terminal_summary(terminalreporter):
    """Prints what was tested with what, and what the tests noted."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("jax", "flax", "orbax-checkpoint", "numpy"))
    terminalreporter.line(f"Python {platform.python_version()}, {packages}")
    if xla_options.remark():
        terminalreporter.line(xla_options.remark(), yellow=True)
    _print_proofs(terminalreporter)


def _print_proofs(terminalreporter):
    """Rows noted with record_property("proof", row); with xdist the reports bring them here."""
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    rows = [row for report in reports for name, row in report.user_properties if name == "proof"]
    if not rows:
        return
    terminalreporter.section("text encoders against transformers: largest difference / root mean square; ! = too large")
    cases = list(dict.fromkeys(case for _, case, _ in rows))
    cells = {(model, case): difference for model, case, difference in rows}
    terminalreporter.line(f"{'':28}" + "".join(f"{case:>13}" for case in cases))
    for model in dict.fromkeys(model for model, _, _ in rows):
        line = [cells[model, case] if (model, case) in cells else "" for case in cases]
        terminalreporter.line(f"{model:28}" + "".join(f"{cell:>13}" for cell in line))
