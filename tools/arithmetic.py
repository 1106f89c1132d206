"""The fast tests with the arithmetic of other processors, as far as this one can imitate it.

    python -m tools.arithmetic [NAME ...] [-- PYTEST'S OPTIONS]
    python -m tools.arithmetic --list

NumPy, OpenBLAS and numba choose their kernels by the processor, each sums in an order of its own, and the last bits
differ. Every setting chooses for them, through variables that all processes inherit, and every process that runs tests
looks first whether they obeyed. All fast tests run again but those in `ELSEWHERE`, which are not about numbers.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
RUNNING = "GLMLAB_ARITHMETIC"  # the variable that names the setting of a run
#: Files about browsers, clusters, timings, drawings, wheels, pages, and the form of notebooks and sources.
ELSEWHERE = """browser test_bench.py test_binder.py test_book.py test_cluster.py test_costmodel.py test_faults.py
test_house.py test_imports.py test_lab.py test_names.py test_notebooks_anywhere.py test_notebooks_form.py
test_notebooks_run.py test_panes.py test_viz.py test_wheel.py test_workspace.py""".split()
#: OpenBLAS' kernels, and the features, as NumPy names them, that a processor must have to run them.
CORETYPES = {
    "Nehalem": {"SSE42"}, "Haswell": {"AVX2", "FMA3"}, "SkylakeX": {"AVX512_SKX"},
    "ARMV8": {"ASIMD"}, "NEOVERSEN1": {"ASIMDHP", "ASIMDDP"},
}  # fmt: skip


class Setting(NamedTuple):
    """What to set, and what `state` must say then."""

    says: str
    variables: dict[str, str]
    wanted: dict
    cannot: str = ""  # why this machine cannot have it


def state() -> dict:
    """What computes in this process."""
    dispatched, has = numpy_features()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    kernels = [name for name in dispatched if has.get(name)]
    return {"numpy": kernels, "openblas": blas_kernels(), "numba": compiled_for(), "cores": cores}


def numpy_features() -> tuple[list[str], dict[str, bool]]:
    """The features that NumPy has kernels of their own for, and which features are on."""
    from numpy._core import _multiarray_umath as core

    return core.__cpu_dispatch__, core.__cpu_features__


def blas_kernels() -> list[str]:
    """Whose kernels OpenBLAS runs, in NumPy's copy of it and in SciPy's."""
    import scipy.linalg  # noqa: F401
    from threadpoolctl import threadpool_info

    return sorted({pool["architecture"].lower() for pool in threadpool_info() if pool["internal_api"] == "openblas"})


def compiled_for() -> str | None:
    """The processor that numba compiles for, None without numba."""
    try:
        from numba.core.registry import cpu_target
    except ImportError:
        return None
    return cpu_target.target_context.codegen().magic_tuple()[1]


def settings() -> dict[str, Setting]:
    """All settings, by name."""
    (dispatched, has), blas = numpy_features(), blas_kernels()
    on = [name for name in dispatched if has.get(name)]
    plain = Setting(f"NumPy without its kernels for {', '.join(on)}", {"NPY_DISABLE_CPU_FEATURES": " ".join(on)},
                    {"numpy": []}, "" if on else "NumPy has no kernels that could be left out")  # fmt: skip
    # numba's cache on disk goes by processor: what was compiled for another is not taken.
    generic = Setting("numba compiling for any processor", {"NUMBA_CPU_NAME": "generic"}, {"numba": "generic"})
    others = {}
    for core, needs in CORETYPES.items():
        lacking = sorted(name for name in needs if not has.get(name))
        cannot = f"needs {', '.join(lacking)}" if lacking else "" if blas else "there is no OpenBLAS"
        others[core.lower()] = Setting(f"OpenBLAS with its kernels for {core}", {"OPENBLAS_CORETYPE": core},
                                       {"openblas": [core.lower()]}, cannot)  # fmt: skip
    first = [setting for setting in others.values() if not setting.cannot][:1]
    hidden = os.pathsep.join(filter(None, [str(ROOT / "tools" / "without_numba"), os.environ.get("PYTHONPATH")]))
    return {
        "oldest": together("all three with the oldest kernels they have",
                           [setting for setting in (plain, generic, *first) if not setting.cannot]),
        "numpy": plain, "numba": generic, **others,
        "one-core": Setting("one core", {}, {"cores": 1},
                            "" if hasattr(os, "sched_setaffinity") else "only Linux gives a process its cores"),
        "no-numba": Setting("without numba", {"PYTHONPATH": hidden}, {"numba": None}),
    }  # fmt: skip


def together(says: str, several: list[Setting]) -> Setting:
    """Several settings at once."""
    variables, wanted = {}, {}
    for setting in several:
        variables, wanted = variables | setting.variables, wanted | setting.wanted
    return Setting(says, variables, wanted)


def pytest_configure():
    """Called by pytest, in its own process and in each of its workers: did the setting take hold?"""
    name, here = os.environ[RUNNING], state()
    wanted = settings()[name].wanted
    if found := {what: here[what] for what in wanted if here[what] != wanted[what]}:
        raise RuntimeError(f"the setting {name} did not take hold: wanted {wanted}, found {found}")


@contextlib.contextmanager
def cores(number):
    """This process, and those that it starts meanwhile, on so many cores; None leaves them as they are."""
    before = os.sched_getaffinity(0) if number else None
    if number:
        os.sched_setaffinity(0, sorted(before)[:number])
    try:
        yield
    finally:
        if number:
            os.sched_setaffinity(0, before)


def run(name: str, setting: Setting, options: list[str]) -> bool:
    """Run the fast tests under one setting and print how it went; all that pytest said, where one failed."""
    print(f"{name:11} {setting.says}: ", end="", flush=True)
    command = [sys.executable, "-m", "pytest", "-p", "tools.arithmetic", "-q", "-m", "not slow", "-n", "2", "--dist",
               "loadfile", *(f"--ignore=tests/{name}" for name in ELSEWHERE), *options]  # fmt: skip
    started = time.monotonic()
    with cores(setting.wanted.get("cores")):
        done = subprocess.run(command, cwd=ROOT, env=os.environ | setting.variables | {RUNNING: name}, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip
    last = (done.stdout.strip().splitlines() or ["nothing"])[-1]
    print(f"{last} ({time.monotonic() - started:.0f} s in all)")
    if done.returncode:
        print(done.stdout)
    return done.returncode == 0


def main(arguments: list[str]) -> int:
    """Run, or list; 1 where a setting failed."""
    known = settings()
    parser = argparse.ArgumentParser(prog="python -m tools.arithmetic", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(known)}; all where none is given")
    parser.add_argument("--list", action="store_true", help="print the settings")
    end = arguments.index("--") if "--" in arguments else len(arguments)
    given, options = parser.parse_args(arguments[:end]), arguments[end + 1 :]
    if unknown := set(given.names) - set(known):
        parser.error(f"no setting is called {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    failed = []
    for name, setting in known.items():
        if given.names and name not in given.names:
            continue
        if given.list or setting.cannot:
            print(f"{name:11} {setting.says}{setting.cannot and f' – not on this machine: {setting.cannot}'}")
        elif not run(name, setting, options):
            failed.append(name)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
