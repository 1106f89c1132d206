"""The commands `python -m glmlab lab`, `check`, `doctor`, `reset` and `prepare`."""

import argparse
import sys


def main(argv=None) -> int:
    """Run one verb; returns the exit code."""
    options, rest = parser().parse_known_args(argv)
    if rest and options.verb != "lab":
        parser().error(f"{options.verb} takes no {' '.join(rest)}")
    return VERBS[options.verb](options, rest)


def parser() -> argparse.ArgumentParser:
    """The command line. Unknown options of `lab` go to JupyterLab."""
    top = argparse.ArgumentParser(prog="python -m glmlab", description="The glmlab course.")
    verbs = top.add_subparsers(dest="verb", required=True)
    verbs.add_parser("lab", help="open the course; further options go to JupyterLab", add_help=False)
    score = verbs.add_parser("check", help="run your copy of one notebook; which exercises are passed?")
    score.add_argument("notebook", help="the start of its name, as in 00")
    score.add_argument("--json", action="store_true", help="print the score as JSON, for a teacher to collect")
    verbs.add_parser("doctor", help="can this machine run the course?")
    again = verbs.add_parser("reset", help="a fresh copy of one notebook, yours kept beside it")
    again.add_argument("notebook", help="the start of its name, as in 00")
    verbs.add_parser("prepare", help="copies and layout only, for a JupyterLab that a hub starts")
    return top


def run_lab(options, rest) -> int:
    from glmlab.classroom.lab import lab

    lab(rest)
    return 0


def run_check(options, rest) -> int:
    from glmlab.classroom.marking import score

    try:
        found = score(options.notebook)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    print(found.as_json() if options.json else found)
    return 0 if found.ended else 1


def run_doctor(options, rest) -> int:
    from glmlab.classroom.doctor import doctor

    return doctor()


def run_reset(options, rest) -> int:
    from glmlab.workspace import my_folder, reset

    try:
        print(f"A fresh copy: {reset(options.notebook, my_folder())}")
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def run_prepare(options, rest) -> int:
    from glmlab.classroom.lab import prepare_hub

    prepare_hub()
    return 0


VERBS = {"lab": run_lab, "check": run_check, "doctor": run_doctor, "reset": run_reset, "prepare": run_prepare}

if __name__ == "__main__":
    sys.exit(main())
