"""A function compiled once for one shape of its arguments, and kept in the user's cache for the next process.

JAX's own cache of compiled programs holds for a whole process and is the user's to set: where one is set it alone is
used, and nothing of JAX's configuration is ever changed here.
"""

import hashlib
import json
import os
import platform
import threading
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
from jax.experimental.serialize_executable import deserialize_and_load, serialize

from cgdmer_jax.interop import user_cache

_CPU_FIELDS = ("model name", "flags", "Features", "CPU part")  # of /proc/cpuinfo: x86 and ARM


class Program:
    """`function` of arrays, compiled at its first call; every call has arguments of the same shapes and dtypes."""

    def __init__(self, function: Callable[..., Any]):
        self._function = jax.jit(function)
        self._made: Callable[..., Any] | None = None
        self._making = threading.Lock()  # threads that call at once wait for one compilation

    def result_shapes(self, *arguments: Any) -> Any:
        """Shapes of the result of a call; the trace is kept for compiling."""
        return self._function.eval_shape(*arguments)

    def __call__(self, *arguments: Any) -> Any:
        with self._making:
            if self._made is None:
                self._made = _made(self._function.lower(*arguments))
        return self._made(*arguments)


def _made(lowered: jax.stages.Lowered) -> Callable[..., Any]:
    """The program out of the cache, or else compiled, and then kept."""
    if jax.config.jax_compilation_cache_dir or not jax.config.jax_enable_compilation_cache:
        return lowered.compile()
    device = next(iter(jax.device_put(0).devices()))  # where arguments go that are on none
    name = f"{_key(lowered, device)}.program"
    if (kept := user_cache.read(name)) is not None:
        try:
            return deserialize_and_load(kept, lowered.in_tree, lowered.out_tree, execution_devices=[device])
        except Exception:  # of whatever kind JAX raises where a program does not load here: it is compiled again
            pass
    made = lowered.compile()
    try:
        kept, _, _ = serialize(made)  # before the first call: afterwards XLA cannot write all of it on a CPU
    except Exception:  # of whatever kind: a platform whose programs cannot be written compiles them each time
        return made
    user_cache.write(name, kept)
    return made


def _key(lowered: jax.stages.Lowered, device: jax.Device) -> str:
    """Hash of everything that decides the program: what it computes, with what it is compiled, and for what."""
    about = {
        "computes": lowered.as_text(),
        # Of arguments that nothing is computed from the text says nothing, and a program takes those it was made for.
        "takes": [str(lowered.in_tree), *(f"{x.dtype}{list(x.shape)}" for x in jax.tree.leaves(lowered.in_avals))],
        "versions": [version("jax"), version("jaxlib"), device.client.platform_version],
        "flags": [os.environ.get(name, "") for name in ("XLA_FLAGS", "LIBTPU_INIT_ARGS")],
        "device": [device.platform, device.device_kind, device.id, len(jax.devices())],
        "machine": [platform.machine(), len(os.sched_getaffinity(0)), os.cpu_count(), _cpu()],
    }
    return hashlib.sha256(json.dumps(about).encode()).hexdigest()


def _cpu() -> list[str]:
    """The processor and what it can do: a program for another one may hold instructions that this one lacks."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # not Linux
        return [platform.processor()]
    return sorted({line for line in lines if line.partition("\t")[0].strip() in _CPU_FIELDS})
