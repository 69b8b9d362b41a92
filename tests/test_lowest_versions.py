"""The constraints of `make lowest` are the bounds of setup.cfg."""

import pytest

from tests.lowest_versions import SETUP, lowest_versions


def setup_of(requirement: str) -> str:
    extras = "[options.extras_require]\ndev =\n    ruff>=0.14\n"
    return f"[options]\ninstall_requires =\n    {requirement}\n{extras}"


def test_each_bound_becomes_one_exact_version():
    assert lowest_versions(setup_of("jax[cpu]>=0.10.0")) == ["jax==0.10.0", "ruff==0.14"]
    assert lowest_versions(setup_of("torch==2.13.0")) == ["torch==2.13.0", "ruff==0.14"]


@pytest.mark.parametrize("requirement", ["jax", "jax<1", "jax>=0.10,<1"])
def test_a_requirement_without_one_plain_bound_is_refused(requirement):
    with pytest.raises(ValueError, match="without a lower bound"):
        lowest_versions(setup_of(requirement))


def test_every_requirement_of_this_package_has_a_bound():
    assert "wfdb==4.3.1" in lowest_versions(SETUP.read_text())
