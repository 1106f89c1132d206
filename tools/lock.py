"""Print requirements.lock: the installed version of what glmlab and its tests need, and of nothing else.

    python -m tools.lock > requirements.lock

What the course needs comes first, so that set-up can stop there.
"""

import re
import sys
from importlib.metadata import requires, version

from packaging.requirements import Requirement

from tools.setup import AUTHORS

HEAD = "# Made by `make lock`: what glmlab needs, as it was installed when the tests passed."
COURSE = "glmlab", "hatchling"  # the second installs the first


def main():
    """Write the lock to standard output."""
    course = closure(*COURSE) - {"glmlab"}
    print("\n".join([HEAD, *pins(course), AUTHORS, *pins(closure("glmlab[test]") - course - {"glmlab"})]))


def pins(names) -> list[str]:
    """A line for each, sorted."""
    return [f"{name}=={version(name).split('+')[0]}" for name in sorted(names)]


def closure(*wanted: str) -> set[str]:
    """The names of all distributions that the requirements `wanted` pull in on this machine."""
    seen, queue = set(), [Requirement(text) for text in wanted]
    while queue:
        requirement = queue.pop()
        key = (canonical(requirement.name), frozenset(requirement.extras))
        if key not in seen:
            seen.add(key)
            queue += needs(requirement)
    return {name for name, _ in seen}


def needs(requirement: Requirement) -> list[Requirement]:
    """What one distribution requires here, its wanted extras included."""
    lines = [Requirement(line) for line in requires(requirement.name) or ()]
    return [line for line in lines if applies(line, requirement.extras | {""})]


def applies(line: Requirement, extras) -> bool:
    """Does this line of a distribution's metadata count on this machine, with these extras?"""
    return line.marker is None or any(line.marker.evaluate({"extra": extra}) for extra in extras)


def canonical(name: str) -> str:
    """The name as package indexes write it."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    sys.exit(main())
