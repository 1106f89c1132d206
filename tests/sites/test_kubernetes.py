"""The manifests of docs/kubernetes: Kubernetes' own schemas take them, and their commands start a cluster under TLS."""

import subprocess
import sys
from pathlib import Path

import pytest
import sites
import tls
import yaml
from dask.utils import parse_bytes

pytestmark = [pytest.mark.sites, pytest.mark.slow, pytest.mark.timeout(300)]

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "kubernetes"
FILES = sorted(FOLDER.glob("*.yaml"))
UNITS = {"Ki": "KiB", "Mi": "MiB", "Gi": "GiB"}  # Kubernetes' and dask's names for the same
VERSION = "1.37"


def documents():
    return [document for file in FILES for document in yaml.safe_load_all(file.read_text())]


def pod(name):
    """What the pods of the Deployment of this name are."""
    found = [each for each in documents() if (each["kind"], each["metadata"]["name"]) == ("Deployment", name)]
    return found[0]["spec"]["template"]["spec"]


def option(arguments, name):
    """The value of an option that is written --name=value."""
    return next(each.partition("=")[2] for each in arguments if each.startswith(f"--{name}="))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_schemas_of_kubernetes_take_every_manifest(file):
    validate = sites.module("kubernetes_validate").validate
    for document in yaml.safe_load_all(file.read_text()):
        assert validate(document, VERSION, strict=True) == VERSION


@pytest.mark.parametrize("change", [{"replica": 4}, {"replicas": "four"}, {"selector": "app"}])
def test_a_manifest_with_a_mistake_is_refused(change):
    package = sites.module("kubernetes_validate")
    deployment = next(each for each in documents() if each["kind"] == "Deployment")
    with pytest.raises(package.ValidationError):
        package.validate(deployment | {"spec": deployment["spec"] | change}, VERSION, strict=True)


@pytest.mark.parametrize("name", ["dask-scheduler", "dask-workers"])
def test_every_deployment_finds_its_pods_restarts_them_and_mounts_the_certificates(name):
    deployment = next(each for each in documents() if each["metadata"]["name"] == name and "template" in each["spec"])
    spec = deployment["spec"]["template"]["spec"]
    assert deployment["spec"]["selector"]["matchLabels"] == deployment["spec"]["template"]["metadata"]["labels"]
    assert spec["restartPolicy"] == "Always"
    mounts = {each["name"]: each["mountPath"] for each in spec["containers"][0]["volumeMounts"]}
    assert set(mounts) == {each["name"] for each in spec["volumes"]}
    files = [option(spec["containers"][0]["args"], f"tls-{part}") for part in ("ca-file", "cert", "key")]
    assert {file.rpartition("/")[0] for file in files} == {mounts["tls"]}


def test_the_workers_reach_the_service_which_reaches_the_scheduler():
    service = next(each for each in documents() if each["kind"] == "Service")
    (port,) = service["spec"]["ports"]
    assert pod("dask-workers")["containers"][0]["args"][0] == f"tls://{service['metadata']['name']}:{port['port']}"
    container = pod("dask-scheduler")["containers"][0]
    assert [each["containerPort"] for each in container["ports"]] == [port["targetPort"]]
    assert option(container["args"], "host").endswith(f":{port['targetPort']}")


def test_a_worker_leaves_its_nanny_some_of_the_pods_memory():
    container = pod("dask-workers")["containers"][0]
    pods = container["resources"]["limits"]["memory"]
    spare = parse_bytes(pods[:-2] + UNITS[pods[-2:]]) - parse_bytes(option(container["args"], "memory-limit"))
    assert 2**28 <= spare <= 2**30


def test_the_commands_start_a_cluster_that_gives_the_bits_of_threads(tmp_path):
    """They run here, with files and a port of the test's own."""
    paths, port = tls.authority(tmp_path / "tls"), sites.free_port()
    address = f"tls://127.0.0.1:{port}"
    here = {"tls://dask-scheduler:8786": address, "--host=tls://0.0.0.0:8786": f"--host={address}",
            "--dashboard-address=127.0.0.1:8787": "--dashboard-address=127.0.0.1:0",
            "--local-directory=/spill": f"--local-directory={tmp_path}",
            "--memory-limit=3584MiB": "--memory-limit=1GiB"}  # fmt: skip
    here |= {f"--tls-{part}=/tls/{file}.pem": f"--tls-{part}={paths[part]}"
             for part, file in {"ca-file": "ca", "cert": "cert", "key": "key"}.items()}  # fmt: skip
    containers = {name: pod(name)["containers"][0] for name in ("dask-scheduler", "dask-workers")}
    assert set(here) <= {word for container in containers.values() for word in container["args"]}
    started = []
    try:
        for name, container in containers.items():
            words = [here.get(word, word) for word in container["args"]]
            command = [sys.executable, "-m", "dask", *container["command"][1:], *words]
            environment = sites.variables() | {each["name"]: each["value"] for each in container.get("env", [])}
            with (tmp_path / f"{name}.log").open("w") as out:
                started.append(
                    subprocess.Popen(command, env=environment, stdout=out, stderr=out, start_new_session=True)
                )
        found = sites.fitted(1, address=address, security=tls.security(paths))
    finally:
        for process in reversed(started):
            sites.end(process)
    assert found["scheduler"] == address and found["blas"] == {1}
    assert found["bits"] == sites.bits_of_threads()
