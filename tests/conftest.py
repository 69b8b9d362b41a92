"""Shared fixtures. Shapes are checked: jaxtyping's import hook runs beartype over the package."""

import os
from pathlib import Path

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Compiling is most of what the tests wait for, and nearly every program runs once or twice. Inherited by the commands
# that tests start, so that what is compared to the bit was compiled alike.
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true --xla_cpu_use_fusion_emitters=false",
)
hook = install_import_hook("cgdmer_jax", "beartype.beartype")
# Of properties: the number of examples stands beside each test; a limit in seconds would fail on a busy machine.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real recordings and tables; skips with a reason where it is absent."""
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent: real recordings are not part of the project")
    return folder


def pytest_terminal_summary(terminalreporter):
    """Prints what the tests noted with record_property("proof", row); with xdist the reports bring it here."""
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
