"""What a forge reads: workflows run the README's commands, the hook is `make lint`, the form asks for the doctor."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from tools import book

CLONE = Path(__file__).resolve().parent.parent
GITHUB = CLONE / ".github"
WORKFLOWS = {path.name: yaml.safe_load(path.read_text(encoding="utf-8")) for path in GITHUB.glob("workflows/*.yml")}
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]


def commands(text):
    """The command lines in the code blocks of a page and in its code spans, without comments."""
    blocks = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)
    plain = "\n".join(block for kind, block in blocks.findall(text) if not kind)
    lines = [line.split("  #")[0].strip() for line in plain.splitlines()]
    return {*filter(None, lines), *re.findall(r"`(make [^`]+)`", blocks.sub("", text))}


def steps(workflow, key):
    """What the steps of all jobs of a workflow have under this key."""
    return [step[key] for job in workflow["jobs"].values() for step in job["steps"] if key in step]


README = commands((CLONE / "README.md").read_text(encoding="utf-8"))


def test_the_commands_of_a_page_are_found():
    text = "```python\nf\n```\n`make a`\n```\nmake b   # why\n\nc d\n```\n`e`\n"
    assert commands(text) == {"make a", "make b", "c d"}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_runs_the_readmes_commands_and_no_others(name):
    runs = [run.replace("${{ matrix.python }}", "3.12") for run in steps(WORKFLOWS[name], "run")]
    assert runs and set(runs) <= README


def test_the_readmes_tests_run_on_three_systems_and_every_python():
    jobs = WORKFLOWS["tests.yml"]["jobs"]
    assert all(job["strategy"]["matrix"]["python"] == PYTHONS for job in jobs.values())
    assert jobs["make"]["strategy"]["matrix"]["system"] == ["ubuntu-latest", "macos-latest"]
    assert jobs["windows"]["runs-on"] == "windows-latest"
    assert {"make doctor", "make test"} == set(run["run"] for run in jobs["make"]["steps"] if "run" in run)
    oldest = tomllib.loads((CLONE / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
    assert oldest == f">={PYTHONS[0]}"


def test_the_book_that_is_published_is_the_one_that_make_book_writes():
    build, deploy = WORKFLOWS["book.yml"]["jobs"].values()
    [folder] = [step["with"]["path"] for step in build["steps"] if "upload" in step.get("uses", "")]
    assert steps(WORKFLOWS["book.yml"], "run") == ["make book"] and CLONE / folder == book.TARGET
    assert deploy["needs"] == "build" and deploy["permissions"] == {"pages": "write", "id-token": "write"}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_may_only_read_and_ends(name):
    workflow = WORKFLOWS[name]
    assert workflow["permissions"] == {"contents": "read"}
    assert all(job["timeout-minutes"] <= 120 for job in workflow["jobs"].values())
    assert all(re.fullmatch(r"actions/[\w-]+@v\d+", action) for action in steps(workflow, "uses"))


def test_the_hook_before_a_commit_is_make_lint():
    [repo] = yaml.safe_load((CLONE / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    [hook] = repo["hooks"]
    assert repo["repo"] == "local" and hook["entry"] == "make lint" and hook["pass_filenames"] is False
    assert re.search(r"^lint:", (CLONE / "Makefile").read_text(encoding="utf-8"), re.M)


def test_the_issue_form_asks_for_the_doctor_and_requires_an_answer_to_every_question():
    form = yaml.safe_load((GITHUB / "ISSUE_TEMPLATE" / "problem.yml").read_text(encoding="utf-8"))
    ids = [field["id"] for field in form["body"]]
    assert len(ids) == len(set(ids)) and all(field["validations"]["required"] for field in form["body"])
    assert "python -m glmlab doctor" in form["body"][-1]["attributes"]["description"]
