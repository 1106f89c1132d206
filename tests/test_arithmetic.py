"""The settings of `make test-arithmetic`: what they are on which machine, and that none counts before it took hold."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from glmlab.machine import cluster
from tools import arithmetic
from tools.arithmetic import ELSEWHERE, RUNNING, Setting, settings

HERE = [name for name, setting in settings().items() if not setting.cannot]


def features(monkeypatch, dispatched, on):
    """NumPy as it would be with these features."""
    monkeypatch.setattr(arithmetic, "numpy_features", lambda: (dispatched, dict.fromkeys(on, True)))


def outcome(monkeypatch, code, *arguments):
    """The exit code, and the commands that would have run with their variables; each of them ends with `code`."""
    ran = []

    def pretend(command, **options):
        ran.append((command, options["env"]))
        return subprocess.CompletedProcess(command, code, stdout="a test's own words\n1 failed in 1 s\n")

    monkeypatch.setattr(arithmetic.subprocess, "run", pretend)
    return arithmetic.main(list(arguments)), ran


def test_worker_processes_compute_as_this_one_does():
    """The kernels that NumPy, OpenBLAS and numba choose, and the cores: without it nobody could promise equal bits."""
    with cluster.client(1, memory_limit="1GiB") as client:
        assert client.run(arithmetic.state) == dict.fromkeys(client.nthreads(), arithmetic.state())


@pytest.mark.slow
@pytest.mark.parametrize("name", HERE)
def test_each_setting_takes_hold_and_is_none_without_its_variables(name):
    setting, look = settings()[name], "from tools import arithmetic; arithmetic.pytest_configure()"
    unset = {key: value for key, value in os.environ.items() if key not in setting.variables}
    paths = [setting.variables.get("PYTHONPATH", ""), str(arithmetic.ROOT)]
    with arithmetic.cores(setting.wanted.get("cores")):
        env = unset | setting.variables | {RUNNING: name, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
        subprocess.run([sys.executable, "-c", look], env=env, check=True)
    here = arithmetic.state()
    if any(here[what] != value for what, value in setting.wanted.items()):
        env = unset | {RUNNING: name, "PYTHONPATH": str(arithmetic.ROOT)}
        done = subprocess.run([sys.executable, "-c", look], env=env, capture_output=True, text=True)
        assert done.returncode and f"the setting {name} did not take hold" in done.stderr


def test_a_setting_that_did_not_take_hold_is_seen(monkeypatch):
    monkeypatch.setattr(arithmetic, "settings", lambda: {"many": Setting("many cores", {}, {"cores": 10**6})})
    monkeypatch.setenv(RUNNING, "many")
    with pytest.raises(RuntimeError, match="many did not take hold"):
        arithmetic.pytest_configure()


@pytest.mark.parametrize("dispatched, on, blas", [
    (["X86_V3", "X86_V4"], ["SSE42", "AVX2", "FMA3", "AVX512_SKX", "X86_V3", "X86_V4"],
     ["nehalem", "haswell", "skylakex"]),
    (["X86_V3", "X86_V4"], ["SSE42", "AVX2", "FMA3", "X86_V3"], ["nehalem", "haswell"]),
    (["X86_V3", "X86_V4"], ["SSE42"], ["nehalem"]),
    (["ASIMDHP", "ASIMDDP", "SVE"], ["NEON", "ASIMD", "ASIMDHP", "ASIMDDP"], ["armv8", "neoversen1"]),
    (["ASIMDHP", "ASIMDDP"], ["NEON", "ASIMD"], ["armv8"]),
])  # fmt: skip
def test_a_processor_gets_what_it_knows(dispatched, on, blas, monkeypatch):
    features(monkeypatch, dispatched, on)
    monkeypatch.setattr(arithmetic, "blas_kernels", lambda: ["some"])
    found = settings()
    assert [name for name in map(str.lower, arithmetic.CORETYPES) if not found[name].cannot] == blas
    on = [name for name in dispatched if name in on]
    assert found["numpy"].variables == {"NPY_DISABLE_CPU_FEATURES": " ".join(on)}
    assert bool(found["numpy"].cannot) != bool(on)
    assert (found["oldest"].variables["OPENBLAS_CORETYPE"].lower(), found["oldest"].cannot) == (blas[0], "")


def test_without_openblas_its_settings_are_left_out(monkeypatch):
    monkeypatch.setattr(arithmetic, "blas_kernels", list)
    found = settings()
    assert all("no OpenBLAS" in found[name.lower()].cannot or "needs" in found[name.lower()].cannot
               for name in arithmetic.CORETYPES)  # fmt: skip
    assert "OPENBLAS_CORETYPE" not in found["oldest"].variables and not found["oldest"].cannot


def test_the_list_runs_nothing_and_names_everything(monkeypatch, capsys):
    assert outcome(monkeypatch, 0, "--list") == (0, [])
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(settings())


def test_settings_run_one_after_another_and_one_that_fails_is_the_exit_code(monkeypatch, capsys):
    code, ran = outcome(monkeypatch, 0, "no-numba", "numba", "--", "-k", "armijo")
    assert code == 0 and [env[RUNNING] for _, env in ran] == ["numba", "no-numba"]
    assert all(command[-2:] == ["-k", "armijo"] for command, _ in ran)
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["numba", "no-numba"]
    code, ran = outcome(monkeypatch, 1, "numba")
    said = capsys.readouterr()
    assert code == 1 and "a test's own words" in said.out and "failed: numba" in said.err


def test_an_unknown_setting_is_refused_with_those_there_are(monkeypatch, capsys):
    with pytest.raises(SystemExit):
        outcome(monkeypatch, 0, "pentium")
    assert "pentium" in (said := capsys.readouterr().err) and "no-numba" in said


def test_what_does_not_run_again_exists():
    """A file that was renamed would run again, unseen; a new one does."""
    assert [name for name in ELSEWHERE if not (Path(__file__).parent / name).exists()] == []
