"""Options of XLA for the tests, less those that the installed jaxlib does not know.

XLA ends the process, with a message that pytest swallows, on a name in XLA_FLAGS that it does not know; names come and
go with its versions. So a process of its own tries them first.
"""

import os
import subprocess
import sys

# Compiling is most of what the tests wait for, and nearly every program runs once or twice.
QUICK_TO_COMPILE = (
    "--xla_backend_optimization_level=0",
    "--xla_llvm_disable_expensive_passes=true",
    "--xla_cpu_use_fusion_emitters=false",
)
UNKNOWN = "CGDMER_TESTS_UNKNOWN_XLA_OPTIONS"  # tells pytest's workers, and the report, what was left out


def set_options(options: tuple[str, ...] = QUICK_TO_COMPILE) -> None:
    """Sets XLA_FLAGS for this process and all that it starts, unless the user or a parent process did."""
    if "XLA_FLAGS" in os.environ:
        return
    unknown = unknown_options(options)
    os.environ["XLA_FLAGS"] = " ".join(option for option in options if option not in unknown)
    os.environ[UNKNOWN] = " ".join(unknown)


def unknown_options(options: tuple[str, ...]) -> list[str]:
    """Those of the options that XLA names as unknown; any other failure to start XLA raises."""
    start = [sys.executable, "-c", "import jax; jax.devices()"]
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": " ".join(options)}
    done = subprocess.run(start, env=environment, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return []
    unknown = [option for option in options if option in done.stderr]
    if not unknown:
        raise RuntimeError(f"XLA does not start with XLA_FLAGS={' '.join(options)}:\n{done.stderr}")
    return unknown


def remark() -> str:
    """One line for the head of the report; "" when XLA knows all of them."""
    unknown = os.environ.get(UNKNOWN, "")
    return f"XLA does not know {unknown}: left out, so the tests take longer to compile" if unknown else ""
