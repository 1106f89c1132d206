"""dask-jobqueue's SLURMCluster on a Slurm of one machine, started by the test; its files are in a folder of its own."""

import getpass
import os
import platform
import subprocess
import tempfile
from pathlib import Path

import pytest
import sites

pytestmark = [pytest.mark.sites, pytest.mark.slow, pytest.mark.timeout(300)]

# config_overrides lets a machine of one core say it has two; without cgroups processes are found by /proc.
SETTINGS = """
ClusterName=glmlab
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
KillWait=5
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=4096 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def asked(*command):
    """What a program of Slurm prints, or "" where it fails."""
    return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout.strip()


@pytest.fixture
def slurm(monkeypatch):
    """A Slurm with one node of two cores, which this process's sbatch, squeue and scancel talk to; its folder."""
    programs = {name: sites.program(name) for name in ("munged", "slurmctld", "slurmd", "sbatch")}
    started = []
    with tempfile.TemporaryDirectory(prefix="glmlab-slurm-") as name:  # a short path: a socket's has 107 letters
        folder = Path(name)
        for part in ("spool", "state"):
            (folder / part).mkdir()
        (folder / "key").touch(0o600)
        (folder / "key").write_bytes(os.urandom(128))
        host = platform.node().partition(".")[0]
        settings = SETTINGS.format(
            folder=folder, host=host, user=getpass.getuser(), ports=[sites.free_port(), sites.free_port()]
        )
        (folder / "slurm.conf").write_text(settings)
        monkeypatch.setenv("SLURM_CONF", str(folder / "slurm.conf"))

        def start(program, *options):
            with (folder / f"{program}.log").open("w") as out:
                command = [programs[program], *map(str, options)]
                started.append(subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True))

        try:
            start(
                "munged", "--foreground", "--force", "--socket", folder / "munge.socket", "--key-file", folder / "key",
                "--pid-file", folder / "munged.pid", "--seed-file", folder / "seed", "--log-file", folder / "munge.log",
            )  # fmt: skip
            sites.until((folder / "munge.socket").exists)
            start("slurmctld", "-D")
            start("slurmd", "-D", "-N", host)
            sites.until(lambda: asked("sinfo", "-h", "-o", "%T") == "idle")
            yield folder
        finally:
            for process in reversed(started):
                sites.end(process)


def test_a_slurm_cluster_gives_the_bits_of_threads_and_leaves_no_job(slurm):
    from distributed import Client

    jobqueue = sites.module("dask_jobqueue")
    with (
        jobqueue.SLURMCluster(
            cores=1, processes=1, memory="1GiB", interface="lo", walltime="00:10:00", local_directory=str(slurm),
            log_directory=str(slurm), job_script_prologue=[f"export PYTHONPATH={sites.paths()}"],
            worker_extra_args=["--lifetime", "9m", "--lifetime-stagger", "1m"],
            scheduler_options={"dashboard_address": "127.0.0.1:0"},
        ) as cluster,
        Client(cluster),
    ):  # fmt: skip
        cluster.scale(jobs=2)
        found = sites.fitted(2)
        assert found["scheduler"] == cluster.scheduler_address
        assert asked("squeue", "-h", "-o", "%T").split() == ["RUNNING"] * 2
    assert found["blas"] == {1} and len(found["processes"]) == 2
    assert found["bits"] == sites.bits_of_threads()
    sites.until(lambda: not asked("squeue", "-h"))
    assert sites.gone(found["processes"])
