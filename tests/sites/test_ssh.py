"""dask's SSHCluster with an ssh server of the test's own: its own port, keys and settings, on the loopback only."""

import os
import subprocess
from pathlib import Path

import pytest
import sites

pytestmark = [pytest.mark.sites, pytest.mark.slow, pytest.mark.timeout(300)]

SETTINGS = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
PermitRootLogin prohibit-password
SetEnv PYTHONPATH="{path}"
"""


def key(folder, name):
    """Make a key in `folder`; its public half is in name.pub."""
    command = [sites.program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
    subprocess.run(command, check=True, timeout=60)


@pytest.fixture
def connect_options(tmp_path):
    """How to reach a server that runs during the test, as `asyncssh.connect` takes it."""
    program, asyncssh = sites.program("sshd"), sites.module("asyncssh")
    key(tmp_path, "host")
    key(tmp_path, "user")
    port = sites.free_port()
    settings = tmp_path / "sshd_config"
    settings.write_text(SETTINGS.format(port=port, folder=tmp_path, path=sites.paths()))
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # without this folder sshd does not start as root
    log = tmp_path / "log"
    with log.open("w") as out:
        server = subprocess.Popen([program, "-D", "-e", "-f", settings], stderr=out, start_new_session=True)
    try:
        sites.until(lambda: "listening" in log.read_text() or server.poll() is not None)
        assert server.poll() is None, log.read_text()
        known = f"[127.0.0.1]:{port} {(tmp_path / 'host.pub').read_text()}"
        yield {"port": port, "client_keys": [str(tmp_path / "user")], "config": [],
               "known_hosts": asyncssh.import_known_hosts(known)}  # fmt: skip
    finally:
        sites.end(server)


def test_an_ssh_cluster_gives_the_bits_of_threads_and_leaves_no_process(connect_options, tmp_path):
    from distributed import Client, SSHCluster

    options = {"nthreads": 1, "n_workers": 2, "memory_limit": "1GiB", "local_directory": str(tmp_path)}
    with (
        SSHCluster(
            ["127.0.0.1"] * 2, connect_options=connect_options, worker_options=options,
            scheduler_options={"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"},
        ) as cluster,
        Client(cluster),
    ):  # fmt: skip
        found = sites.fitted(2)
        assert found["scheduler"] == cluster.scheduler_address
    assert found["blas"] == {1} and len(found["processes"]) == 2
    assert found["bits"] == sites.bits_of_threads()
    assert sites.gone(found["processes"])
