"""The house: set-up, the lock, the README's commands, and what must never be committed."""

import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import lab_server
import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from glmlab.__main__ import VERBS
from tools import lock, setup

CLONE = Path(__file__).resolve().parent.parent
PAGES = ["README.md", "CONTRIBUTING.md", "GOVERNANCE.md"]
PROJECT = tomllib.loads((CLONE / "pyproject.toml").read_text())["project"]
PIN = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*==[0-9][0-9a-z.]*")


def pins(text: str) -> dict[str, str]:
    """name -> version; ValueError at the first line that is not a plain pin."""
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            if not PIN.fullmatch(line):
                raise ValueError(f"not a plain pin: {line!r}")
            name, found[name] = line.split("==")[0], line.split("==")[1]
    return found


def wanted() -> list[Requirement]:
    """All that pyproject asks for, with what all tests need; the other extras are pinned where they stand."""
    return [Requirement(text) for text in [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["test"]]]


def outside(requirements, pinned) -> list[str]:
    """What the pins do not satisfy."""
    return [str(r) for r in requirements if not r.specifier.contains(pinned.get(lock.canonical(r.name), "0"))]


# --- the lock

@pytest.mark.parametrize("extra", ["bench", "sites"])
def test_what_is_not_in_the_lock_is_pinned(extra):
    assert all(Requirement(text).specifier and "==" in text for text in PROJECT["optional-dependencies"][extra])


def test_the_lock_satisfies_every_range():
    assert outside(wanted(), pins((CLONE / "requirements.lock").read_text())) == []


def test_a_pin_outside_its_range_is_seen():
    assert outside([Requirement("numpy>=2"), Requirement("dask>=2025.1")], {"numpy": "1.26", "dask": "2026.8"}) \
        == ["numpy>=2"]


@pytest.mark.parametrize("line", [
    "numpy @ file:///a/numpy.whl", "-e .", "--index-url https://example.org", "numpy>=2", "numpy",
    "git+https://example.org/a.git", "numpy==2.0 --hash=sha256:aa", "torch==2.0+cpu",
])
def test_a_line_that_is_not_a_plain_pin_is_seen(line):
    with pytest.raises(ValueError, match="not a plain pin"):
        pins(f"# head\nscipy==1.17\n{line}\n")


def test_the_lock_holds_what_is_needed_and_no_more():
    needed = lock.closure("glmlab[test]") - {"glmlab"}
    assert set(pins((CLONE / "requirements.lock").read_text())) == needed


def test_every_pin_can_be_installed_on_the_oldest_python():
    oldest = PROJECT["requires-python"].removeprefix(">=") + ".0"
    names = pins((CLONE / "requirements.lock").read_text())
    needs = {name: metadata.metadata(name).get("Requires-Python", "") for name in names}
    assert [name for name, versions in needs.items() if oldest not in SpecifierSet(versions)] == []


def test_what_the_course_needs_stands_first_in_the_lock():
    course, _, authors = (CLONE / "requirements.lock").read_text().partition(setup.AUTHORS)
    assert set(pins(course)) == lock.closure("glmlab", "hatchling") - {"glmlab"}
    assert {"jupyterlab", "dask", "hatchling"} <= set(pins(course)) and {"pytest", "sphinx"} <= set(pins(authors))


def test_the_closure_follows_requirements_extras_and_markers(monkeypatch):
    tree = {"glmlab": ["A_a>=1", 'b; extra == "test"', 'no-such; python_version < "3"'], "A_a": ["c[x]"], "b": None,
            "c": ['d; extra == "x"', 'no-such; extra == "y"'], "d": []}
    monkeypatch.setattr(lock, "requires", tree.__getitem__)
    assert lock.closure("glmlab[test]") == {"glmlab", "a-a", "b", "c", "d"}
    assert lock.closure("glmlab") == {"glmlab", "a-a", "c", "d"}


# --- set-up

@pytest.mark.parametrize(("version", "uv", "ensurepip", "says"), [
    ((3, 10, 1), "uv", True, "this is Python 3.10.1"),
    ((3, 11, 0), None, False, "sudo apt install python3-venv"),
])
def test_set_up_says_what_to_type(version, uv, ensurepip, says):
    assert says in setup.what_is_missing(version, uv, ensurepip)


@pytest.mark.parametrize(("uv", "ensurepip"), [("uv", False), (None, True)])
def test_set_up_needs_uv_or_venv(uv, ensurepip):
    assert setup.what_is_missing((3, 11), uv, ensurepip) == ""


def clone(tmp_path, monkeypatch):
    """A clone with a lock, and a set-up that only notes what it would run."""
    for name in ("requirements.lock", "pyproject.toml"):
        (tmp_path / name).write_text("")
    ran = []
    monkeypatch.setattr(setup, "ROOT", tmp_path)
    monkeypatch.setenv("VENV", str(tmp_path / ".venv"))
    monkeypatch.setattr(setup, "run", lambda command: ran.append(" ".join(map(str, command))))
    return ran


def pretend_venv(tmp_path):
    python = setup.python_of(tmp_path / ".venv")
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)


@pytest.mark.parametrize("changed", ["requirements.lock", "pyproject.toml"])
def test_set_up_runs_once_and_again_after_a_change(tmp_path, monkeypatch, changed):
    ran = clone(tmp_path, monkeypatch)
    monkeypatch.setattr(setup.shutil, "which", lambda name: "uv")
    pretend_venv(tmp_path)
    assert setup.main() == 0
    assert any("requirements.lock" in line for line in ran)
    assert any(line.endswith(f"-e {tmp_path}") for line in ran)
    ran.clear()
    assert setup.main() == 0
    assert ran == []
    (tmp_path / changed).write_text("new")
    assert setup.main() == 0
    assert ran


def test_the_course_alone_is_installed_first_and_what_tests_need_when_it_is_asked_for(tmp_path, monkeypatch):
    ran = clone(tmp_path, monkeypatch)
    (tmp_path / "requirements.lock").write_text(f"# head\na==1\n{setup.AUTHORS}\nb==2\n")
    monkeypatch.setattr(setup.shutil, "which", lambda name: "uv")
    pretend_venv(tmp_path)
    installed = tmp_path / ".venv" / setup.LOCK
    assert setup.main(["--course"]) == 0 and installed.read_text().split() == ["a==1"]
    ran.clear()
    assert setup.main(["--course"]) == 0 and ran == []
    assert setup.main() == 0 and ran and installed.read_text().split() == ["a==1", "b==2"]
    ran.clear()
    assert setup.main(["--course"]) == 0 and setup.main() == 0 and ran == []


@pytest.mark.parametrize(("uv", "tool"), [("/bin/uv", "/bin/uv pip install"), (None, "-m pip install")])
def test_set_up_uses_uv_when_it_is_there_else_pip(tmp_path, monkeypatch, uv, tool):
    ran = clone(tmp_path, monkeypatch)
    monkeypatch.setattr(setup.shutil, "which", lambda name: uv)
    monkeypatch.setattr(setup.subprocess, "run", lambda *args, **kwargs: subprocess.CompletedProcess(args, 0))
    pretend_venv(tmp_path)
    assert setup.main() == 0
    assert all(tool in line for line in ran)


def test_set_up_that_fails_leaves_no_stamp(tmp_path, monkeypatch, capsys):
    clone(tmp_path, monkeypatch)
    pretend_venv(tmp_path)

    def fail(command):
        raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr(setup, "run", fail)
    monkeypatch.setattr(setup.shutil, "which", lambda name: "uv")
    assert setup.main() == 1
    assert "behind a proxy" in capsys.readouterr().err
    assert not (tmp_path / ".venv" / setup.STAMP).exists()


def test_set_up_without_pip_says_what_to_type(tmp_path, monkeypatch, capsys):
    clone(tmp_path, monkeypatch)
    pretend_venv(tmp_path)
    monkeypatch.setattr(setup.shutil, "which", lambda name: None)
    monkeypatch.setattr(setup.subprocess, "run", lambda *args, **kwargs: subprocess.CompletedProcess(args, 1))
    assert setup.main() == 1
    assert "-m ensurepip" in capsys.readouterr().err


# --- the README and the verbs

def commands(text: str) -> set[tuple[str, str]]:
    """(program, verb) of each `make X` and `python -m glmlab X` in code spans and blocks."""
    code = " ".join(re.findall(r"```.*?```|`[^`]+`", text, re.S))
    made = {("make", verb) for verb in re.findall(r"\bmake +([a-z][a-z-]*)", code)}
    return made | {("glmlab", verb) for verb in re.findall(r"-m +glmlab +([a-z]+)", code)}


def verbs_of_make() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", (CLONE / "Makefile").read_text(), re.M))


def make(*args) -> list[str]:
    """The lines a make of its own prints, also when make runs these tests."""
    clean = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    done = subprocess.run(["make", *args], cwd=CLONE, env=clean, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def unknown(text: str) -> set[tuple[str, str]]:
    known = {("make", verb) for verb in verbs_of_make()} | {("glmlab", verb) for verb in VERBS}
    return commands(text) - known


@pytest.mark.parametrize("page", [*PAGES, "docs/book/teaching.md", "docs/book/cheat_sheet.md", "docs/book/set_up.md",
                                  "binder/start", "environment.yml", ".ci/run"])
def test_every_command_of_our_pages_exists(page):
    text = (CLONE / page).read_text()
    assert unknown(text if page.endswith(".md") else f"```{text}```") == set()


@pytest.mark.parametrize("text", ["`make it-so`", "```\nmake it-so\n```", "`python -m glmlab fly`"])
def test_a_command_that_does_not_exist_is_seen(text):
    assert unknown(text)


def test_make_alone_prints_every_verb():
    assert {line.split()[1] for line in make()} == verbs_of_make()


def test_continuous_integration_runs_what_the_readme_says():
    script = CLONE / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert ("make", "test") in commands((CLONE / "README.md").read_text())
    verbs = [line for line in script.read_text().splitlines() if "make " in line and not line.startswith("#")]
    assert verbs == ["make test test-full", "make test-arithmetic ARGS=oldest", "CI=true make hosts browser"]
    lines = make("--dry-run", "test", "test-full", "test-arithmetic", "hosts", "browser", "ARGS=oldest")
    assert [line.split("-m ", 1)[1] for line in lines if re.search("pytest|tools.(notebooks|arithmetic)", line)] == [
        'pytest -n 2 --dist loadfile -m "not slow"', "tools.notebooks run",
        'pytest -n 2 --dist loadfile -m "slow and not browser and not hosts and not sites"',
        "tools.notebooks run --solved", "tools.arithmetic oldest",
        "pytest -m hosts tests/hosts", "pytest -m browser tests/browser"]


def test_the_tests_start_the_lab_as_make_does():
    assert make("--dry-run", "lab", "ARGS=--no-browser")[-1].split()[1:] == lab_server.COMMAND


def test_the_readme_names_every_notebook():
    text = (CLONE / "README.md").read_text()
    listed = dict(re.findall(r"^\| (\d\d\w?) \| (?:\[)?`?(\w+)", text, re.M))
    assert sorted(listed) == sorted(path.name.split("_")[0] for path in (CLONE / "notebooks").glob("*.ipynb"))
    linked = set(re.findall(r"\]\((notebooks/[^)]+)\)", text))
    assert linked == {f"notebooks/{path.name}" for path in (CLONE / "notebooks").glob("*.ipynb")}


@pytest.mark.parametrize("page", [*PAGES, "CHANGELOG.md", "findings/README.md"])
def test_links_to_our_own_files_lead_somewhere(page):
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", (CLONE / page).read_text())
    assert [target for target in targets if not (CLONE / page).parent.joinpath(target).exists()] == []


# --- one version, nothing private

def test_one_version_everywhere():
    citation = (CLONE / "CITATION.cff").read_text()
    import glmlab

    said = {PROJECT["version"], metadata.version("glmlab"), re.search(r"^version: (\S+)", citation, re.M)[1],
            glmlab.__version__, re.search(r"^## (\S+)", (CLONE / "CHANGELOG.md").read_text(), re.M)[1]}
    assert len(said) == 1, said


# Built from pieces, so that this file does not hold what it looks for.
PRIVATE = re.compile("|".join(["/ro" + "ot/", "/wo" + "rk/", "/ho" + r"me/(?!jovyan)\w", "pypi" + r"\.org",
                               "python" + "hosted", "npm" + r"js\.org", "deb" + r"ian\.org", '"/t' + "mp[/\"]"]))


def committed():
    """The text files that git holds."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=CLONE, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        path = CLONE / name
        if path.is_file() and path.suffix not in {".parquet", ".png"}:
            yield name, path.read_text(encoding="utf-8")


@pytest.mark.skipif(not (CLONE / ".git").exists(), reason="only git knows what is committed, and this is no clone")
def test_nothing_private_is_committed():
    found = [f"{name}: {hit.group()}" for name, text in committed() for hit in PRIVATE.finditer(text)]
    assert found == []


@pytest.mark.parametrize("text", ["/ro" + "ot/.cache", "see /ho" + "me/ann/x", "https://pypi" + ".org/simple"])
def test_private_text_is_seen(text):
    assert PRIVATE.search(text)
