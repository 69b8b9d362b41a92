"""Hosts of a run, from the environment or given, and how this process joins them.

One process a host drives all of that host's devices. JAX's coordination service (jax.distributed) does the rest.
"""

import argparse
import contextlib
import os
import re
import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import jax

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.training.coordination import Place, leave, take_place

PORT = 8476  # of host 0, where none is given; SLURM jobs that share a node need different ones
CLOUD_TPU = "cloud_tpu"  # instead of an address: JAX asks the TPU's metadata for everything
HEARTBEAT_S = 100  # a host silent for so long is dead; JAX then ends the others


@dataclass(frozen=True)
class Job:
    """One host's place in a run on several."""

    coordinator: str  # host:port of process 0, or CLOUD_TPU
    n_processes: int  # 0 with CLOUD_TPU
    process: int


def given_job(coordinator: str, n_processes: int, process: int) -> Job:
    """From flags."""
    if coordinator == CLOUD_TPU:
        return Job(CLOUD_TPU, 0, 0)
    if not 0 <= process < n_processes:
        raise CgdmerError(
            f"process {process} of {n_processes} does not exist; with --coordinator=HOST:PORT give --processes=N and "
            "--process=I, I from 0 to N-1"
        )
    return Job(_with_port(coordinator, PORT), n_processes, process)


def find_job(environment: Mapping[str, str]) -> Job | None:
    """The place that Cloud TPU, JobSet (docs/pods.md) or SLURM assign to this process; None where it is alone."""
    for read in (_of_tpu, _of_jax_variables, _of_slurm):
        job = read(environment)
        if job is not None:
            return job if job.coordinator == CLOUD_TPU or job.n_processes > 1 else None
    return None


def add_flags(parser: argparse.ArgumentParser) -> None:
    """The flags of a command that trains on several hosts."""
    several = parser.add_argument_group("several hosts (docs/pods.md)")
    several.add_argument("--coordinator", help=f"HOST:PORT of process 0, or {CLOUD_TPU} on the VMs of a TPU")
    several.add_argument("--processes", type=int, default=0, help="number of hosts, a process each")
    several.add_argument("--process", type=int, default=-1, help="number of this one, from 0")
    several.add_argument(
        "--host_timeout", type=float, default=600.0, help="seconds to wait for the others (default 600)"
    )


def join_by_flags(given: argparse.Namespace, environment: Mapping[str, str]) -> None:
    """Joins the job that these flags name, else the one that the environment tells of, if any."""
    if given.coordinator:
        job = given_job(given.coordinator, given.processes, given.process)
    else:
        job = find_job(environment)
    if job is not None:
        join(job, given.host_timeout)


def join(job: Job, timeout_s: float) -> None:
    """Returns once all hosts are there, else ends the process with one sentence.

    Must come before JAX sees a device: the devices of all hosts are one list from then on.
    """
    if job.process == 0 and job.coordinator != CLOUD_TPU:
        _check_port(job.coordinator)
    many = f"all {job.n_processes} hosts" if job.n_processes else "all hosts of the slice"
    # JAX's own time-out aborts the process with a stack trace of C++, so ours comes first.
    absent = threading.Timer(
        timeout_s,
        leave,
        [
            f"not {many} came to {job.coordinator} within {timeout_s:g} s; see the log of those that are missing, "
            "then start all of them again"
        ],
    )
    absent.daemon = True
    absent.start()
    given = {"initialization_timeout": int(timeout_s) + 60, "heartbeat_timeout_seconds": HEARTBEAT_S}
    if job.coordinator != CLOUD_TPU:
        given |= {"coordinator_address": job.coordinator, "num_processes": job.n_processes, "process_id": job.process}
        given |= {"cluster_detection_method": "deactivate"}
    try:
        with _signals_heard():
            jax.distributed.initialize(**given)
    except RuntimeError as error:
        who = f"host {job.process}" if job.n_processes else "this host"
        raise CgdmerError(
            f"{who} cannot join the run at {job.coordinator} ({str(error).splitlines()[0]}); "
            "correct the address or use another port"
        ) from error
    finally:
        absent.cancel()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # together() tells the others of it; SIGTERM is JAX's now
    if job.coordinator == CLOUD_TPU:  # only the TPU knows
        take_place(Place(jax.process_index(), jax.process_count()))
    else:
        take_place(Place(job.process, job.n_processes))


@contextlib.contextmanager
def _signals_heard() -> Iterator[None]:
    """A handler that ends the process does so at once: JAX waits in C++, until when Python would put it off."""
    heard, told = socket.socketpair()
    told.setblocking(False)

    def listen() -> None:
        for number in iter(lambda: heard.recv(1), b""):
            try:
                signal.getsignal(number[0])(number[0], None)
            except SystemExit as stopped:
                os._exit(stopped.code)
            except KeyboardInterrupt:  # the main thread gets it too, once it is back
                continue

    threading.Thread(target=listen, daemon=True, name="signals").start()
    before = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        told.close()


def _check_port(coordinator: str) -> None:
    """JAX 0.10 crashes where host 0's port is taken."""
    port = int(coordinator.rpartition(":")[2])
    try:
        with socket.create_server(("", port)):
            pass
    except OSError as error:
        raise CgdmerError(
            f"host 0 cannot open port {port} ({os.strerror(error.errno)}), where the hosts would meet; "
            "end what is there, or give another port with --coordinator=HOST:PORT"
        ) from error


def _of_tpu(environment: Mapping[str, str]) -> Job | None:
    """GKE sets these for the pods of a slice; on a TPU VM give --coordinator=cloud_tpu."""
    workers = environment.get("TPU_PROCESS_ADDRESSES", environment.get("TPU_WORKER_HOSTNAMES", ""))
    slices = environment.get("MEGASCALE_NUM_SLICES", "1")
    return Job(CLOUD_TPU, 0, 0) if "," in workers or slices != "1" else None


def _of_jax_variables(environment: Mapping[str, str]) -> Job | None:
    """The manifest sets two of them, Kubernetes the index of the pod in its Job."""
    if "JAX_COORDINATOR_ADDRESS" not in environment:
        return None
    index = "JAX_PROCESS_ID" if "JAX_PROCESS_ID" in environment else "JOB_COMPLETION_INDEX"
    n_processes, process = (_number(environment, name) for name in ("JAX_NUM_PROCESSES", index))
    return Job(_with_port(environment["JAX_COORDINATOR_ADDRESS"], PORT), n_processes, process)


def _of_slurm(environment: Mapping[str, str]) -> Job | None:
    """The place inside a SLURM step (started by srun); the sbatch script itself is alone."""
    if "SLURM_STEP_NODELIST" not in environment or "SLURM_PROCID" not in environment:
        return None
    tasks, nodes = (_number(environment, name) for name in ("SLURM_STEP_NUM_TASKS", "SLURM_STEP_NUM_NODES"))
    if tasks != nodes:
        raise CgdmerError(
            f"SLURM started {tasks} tasks on {nodes} nodes; give --ntasks-per-node=1: "
            "one process drives all accelerators of its node"
        )
    # "node007", "node[007-010,20],other3" or "a,b": the first name.
    name, numbers = re.match(r"([^,\[]+)(?:\[(\w+))?", environment["SLURM_STEP_NODELIST"]).groups()
    port = PORT + _number(environment, "SLURM_JOB_ID") % 1000
    return Job(f"{name}{numbers or ''}:{port}", tasks, _number(environment, "SLURM_PROCID"))


def _number(environment: Mapping[str, str], name: str) -> int:
    text = environment.get(name, "")
    if not text.isdecimal():
        raise CgdmerError(f'environment variable {name} is "{text}" where several hosts are announced; set a number')
    return int(text)


def _with_port(address: str, port: int) -> str:
    return address if re.search(r":\d+$", address) else f"{address}:{port}"
