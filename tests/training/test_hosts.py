"""A host's place as SLURM, JobSet, Cloud TPU and flags state it, and the faults that keep it from joining."""

import socket

import pytest

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.training.hosts import CLOUD_TPU, Job, find_job, given_job, join

SLURM = {  # of the third task of `srun --ntasks-per-node=1` on four nodes
    "SLURM_JOB_ID": "4002017",
    "SLURM_PROCID": "2",
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_STEP_NUM_NODES": "4",
    "SLURM_STEP_NODELIST": "gpu[017-019,023]",
}
JOBSET = {  # docs/pods.md sets the first two, Kubernetes the third
    "JAX_COORDINATOR_ADDRESS": "run-host-0-0.run",
    "JAX_NUM_PROCESSES": "4",
    "JOB_COMPLETION_INDEX": "3",
}


def test_a_process_that_no_one_announces_is_alone():
    assert find_job({}) is None
    assert find_job({"HOSTNAME": "gpu017", "SLURM_JOB_ID": "4002017"}) is None, "the script of sbatch, not srun"


@pytest.mark.parametrize(
    ("nodes", "first"),
    [
        ("gpu[017-019,023]", "gpu017"),
        ("gpu[3,5]", "gpu3"),
        ("gpu-b-[08-09],cpu01", "gpu-b-08"),
        ("left,right", "left"),
        ("only", "only"),
    ],
)
def test_slurm_meets_on_the_first_node_of_the_step_at_a_port_of_the_job(nodes, first):
    job = find_job(SLURM | {"SLURM_STEP_NODELIST": nodes})
    assert job == Job(f"{first}:{8476 + 17}", 4, 2)


def test_slurm_with_one_task_is_alone():
    assert find_job(SLURM | {"SLURM_STEP_NUM_TASKS": "1", "SLURM_STEP_NUM_NODES": "1", "SLURM_PROCID": "0"}) is None


def test_slurm_with_a_task_for_each_gpu_is_refused():
    with pytest.raises(CgdmerError, match="32 tasks on 4 nodes; give --ntasks-per-node=1"):
        find_job(SLURM | {"SLURM_STEP_NUM_TASKS": "32"})


def test_jobset_is_found_by_its_variables_and_the_index_of_the_pod():
    assert find_job(JOBSET) == Job("run-host-0-0.run:8476", 4, 3)
    assert find_job(JOBSET | {"JAX_PROCESS_ID": "1"}).process == 1, "an index that is given wins"
    assert find_job(JOBSET | {"JAX_COORDINATOR_ADDRESS": "10.0.0.7:1234"}).coordinator == "10.0.0.7:1234"


def test_variables_of_jax_win_over_those_of_slurm():
    assert find_job(SLURM | JOBSET).coordinator == "run-host-0-0.run:8476"


@pytest.mark.parametrize("missing", ["JAX_NUM_PROCESSES", "JOB_COMPLETION_INDEX"])
def test_half_an_announcement_is_refused_naming_the_variable(missing):
    with pytest.raises(CgdmerError, match=f'{missing} is "" where several hosts are announced'):
        find_job({name: value for name, value in JOBSET.items() if name != missing})


@pytest.mark.parametrize(
    "variables",
    [
        {"TPU_WORKER_HOSTNAMES": "t-0,t-1", "TPU_WORKER_ID": "1"},
        {"TPU_PROCESS_ADDRESSES": "10.0.0.2:8476,10.0.0.3:8476"},
        {"TPU_WORKER_HOSTNAMES": "t-0", "MEGASCALE_NUM_SLICES": "2"},
    ],
)
def test_a_tpu_slice_of_several_hosts_is_left_to_jax(variables):
    assert find_job(variables) == Job(CLOUD_TPU, 0, 0)


def test_a_tpu_of_one_host_is_alone():
    assert find_job({"TPU_WORKER_HOSTNAMES": "localhost", "TPU_WORKER_ID": "0"}) is None


def test_flags_name_every_place():
    assert given_job("10.0.0.7:1234", 2, 1) == Job("10.0.0.7:1234", 2, 1)
    assert given_job("first", 2, 0) == Job("first:8476", 2, 0)
    assert given_job(CLOUD_TPU, 0, -1) == Job(CLOUD_TPU, 0, 0)


@pytest.mark.parametrize(("n_processes", "process"), [(0, -1), (2, -1), (2, 2)])
def test_a_place_that_does_not_exist_is_refused(n_processes, process):
    with pytest.raises(CgdmerError, match="give --processes=N and --process=I"):
        given_job("first", n_processes, process)


def test_a_port_that_is_taken_is_one_sentence():
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CgdmerError, match=rf"cannot open port {port} \(Address already in use\)"):
            join(Job(f"127.0.0.1:{port}", 2, 0), timeout_s=1.0)
