"""dask-mpi: the ranks of one mpiexec become a scheduler and workers, and in the second form the client too."""

import json
import subprocess
import sys

import pytest
import sites

pytestmark = [pytest.mark.sites, pytest.mark.slow, pytest.mark.timeout(300)]

# The second form: every rank runs this program, and `initialize` lets one of them go on, as the client.
PROGRAM = """
import json, sys
from dask_mpi import initialize

initialize(interface="lo", dashboard=False, memory_limit="1GiB", local_directory=sys.argv[1])
import sites

found = sites.fitted(2)
print("found", json.dumps([sorted(found["blas"]), found["bits"]]), flush=True)
"""


def mpiexec(ranks, *arguments, **options):
    """Start Python in so many ranks."""
    sites.module("dask_mpi")
    command = [sites.program("mpiexec"), "-n", str(ranks), sys.executable, *map(str, arguments)]
    return subprocess.Popen(command, env=sites.variables(), start_new_session=True, **options)


def test_a_cluster_of_ranks_gives_the_bits_of_threads_and_leaves_no_process(tmp_path):
    """The client finds it by the scheduler file; without a nanny the workers begin with a thread for each core.

    The port is told, because dask-mpi takes 8786 otherwise, and hangs where somebody else has it.
    """
    file = tmp_path / "scheduler.json"
    with (tmp_path / "log").open("w") as out:
        ranks = mpiexec(
            3, "-m", "dask_mpi.cli", "--scheduler-file", file, "--interface", "lo", "--nthreads", "1",
            "--worker-class", "distributed.Worker", "--memory-limit", "1GiB", "--local-directory", tmp_path,
            "--dashboard-address", "127.0.0.1:0", "--scheduler-port", sites.free_port(), stdout=out, stderr=out,
        )  # fmt: skip
    try:
        sites.until(lambda: file.exists() or ranks.poll() is not None)
        assert ranks.poll() is None, (tmp_path / "log").read_text()
        found = sites.fitted(2, scheduler_file=file)
        assert found["scheduler"] == json.loads(file.read_text())["address"]
    finally:
        sites.end(ranks)
    assert found["blas"] == {1} and len(found["processes"]) == 2
    assert found["bits"] == sites.bits_of_threads()
    assert sites.gone(found["processes"])


def test_a_program_under_mpiexec_finds_its_own_cluster(tmp_path):
    """`client()` without arguments: initialize() has named the scheduler in dask's configuration."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    ranks = mpiexec(4, program, tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        printed, told = ranks.communicate(timeout=240)
    finally:
        sites.end(ranks)
    assert ranks.returncode == 0, told
    line = next(line for line in printed.splitlines() if line.startswith("found "))
    blas, bits = json.loads(line.removeprefix("found "))
    assert blas == [1]
    assert [tuple(fit) for fit in bits] == sites.bits_of_threads()
