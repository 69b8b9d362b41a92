"""Hosts played by processes of a few fake CPU devices each, which talk through gloo on this machine."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PATIENCE = 1800  # seconds: a process that hangs is a failure, a busy machine is none


class Host:
    """One process, and everything that it prints."""

    def __init__(self, words: list[str], output: Path, devices: int, variables: dict[str, str]):
        self.output = output
        environment = os.environ | {
            "JAX_PLATFORMS": "cpu",
            "JAX_CPU_COLLECTIVES_IMPLEMENTATION": "gloo",
            "XLA_FLAGS": f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count={devices}",
            **variables,
        }
        with output.open("w") as file:
            words = [sys.executable, *words]
            self.process = subprocess.Popen(words, cwd=ROOT, env=environment, stdout=file, stderr=subprocess.STDOUT)

    def said(self) -> str:
        return self.output.read_text()

    def code(self) -> int:
        """Waits for the end."""
        return self.process.wait(PATIENCE)

    def error(self) -> str:
        """The sentence that a user is meant to read; "" when there is none, all of them when there are more."""
        return " / ".join(line for line in self.said().splitlines() if line.startswith("error: "))


@contextlib.contextmanager
def hosts(folder: Path, *words: list[str], devices: int = 4, **variables: str) -> Iterator[list[Host]]:
    """One a list of words; with several, each is told where they meet. None outlives the block."""
    started = []
    (folder / "output").mkdir(exist_ok=True)
    try:
        with held_port() as port:
            for number, own in enumerate(words):
                place = [f"--coordinator=127.0.0.1:{port}", f"--processes={len(words)}", f"--process={number}"]
                output = folder / "output" / f"{time.monotonic_ns()}-{number}"
                started.append(Host([*own, *(place if len(words) > 1 else [])], output, devices, variables))
            yield started
    finally:
        for host in started:
            host.process.kill()
            host.process.wait()


@contextlib.contextmanager
def held_port() -> Iterator[int]:
    """A port that nobody else is given meanwhile: bound here, where host 0 may bind it too, and never listened at."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


def wait_for_line(line: str, host: Host) -> None:
    """Until it has printed that; its end before is a failure."""
    limit = time.monotonic() + PATIENCE
    while line not in host.said().splitlines():
        assert host.process.poll() is None and time.monotonic() < limit, host.said()
        time.sleep(0.01)
