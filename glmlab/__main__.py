"""The commands `python -m glmlab lab`, `check`, `export`, `doctor`, `reset` and `prepare`."""

import argparse
import difflib
import re
import sys

SETTING = re.compile(r"--\w+\.\w+=.*", re.DOTALL)  # a setting of JupyterLab by its full name
OPTIONS = ["--no-browser", "--port", "--help"]  # of `lab`
LAB = """Copies of the notebooks are made in my/, and JupyterLab opens on the first. It serves on this machine only,
with a token. Stop it with Ctrl-C."""
SETTINGS = """JupyterLab's own settings go by their full names, as in --ServerApp.base_url=/course/ (all are listed by
python -m jupyterlab --help-all)."""


def main(argv=None) -> int:
    """Run one verb; returns the exit code."""
    top = parser()
    options, rest = top.parse_known_args(argv)
    wrong = [word for word in rest if options.verb != "lab" or not SETTING.fullmatch(word)]
    if wrong:
        top.error(f"{options.verb} takes no {' '.join(wrong)}." + (meant(wrong[0]) if options.verb == "lab" else ""))
    return VERBS[options.verb](options, rest)


def meant(word) -> str:
    """What to type in place of a word that `lab` does not take."""
    near = difflib.get_close_matches(word.split("=")[0], OPTIONS, n=1, cutoff=0.7)
    return f" Did you mean {near[0]}?" if near else " Type: python -m glmlab lab --help"


def parser() -> argparse.ArgumentParser:
    """The command line. No option may be shortened."""
    top = argparse.ArgumentParser(prog="python -m glmlab", description="The glmlab course.", allow_abbrev=False)
    verbs = top.add_subparsers(dest="verb", required=True)
    lab = verbs.add_parser("lab", help="open the course", description=LAB, epilog=SETTINGS, allow_abbrev=False)
    lab.add_argument("--no-browser", action="store_true", help="print the address and open no browser")
    lab.add_argument("--port", type=int, help="the first port to try; 8888 without this option")
    score = verbs.add_parser("check", help="run your copy of one notebook; which exercises are passed?")
    score.add_argument("notebook", help="the start of its name, as in 00")
    score.add_argument("--json", action="store_true", help="print the score as JSON, for a teacher to collect")
    page = verbs.add_parser("export", help="your copy of one notebook as one HTML file that needs no network")
    page.add_argument("notebook", help="the start of its name, as in 00")
    page.add_argument("--run", action="store_true", help="run it first; without this the page shows what was saved")
    verbs.add_parser("doctor", help="can this machine run the course?")
    again = verbs.add_parser("reset", help="a fresh copy of one notebook, yours kept beside it")
    again.add_argument("notebook", help="the start of its name, as in 00")
    verbs.add_parser("prepare", help="copies and layout only, for a JupyterLab that a hub starts")
    return top


def run_lab(options, rest) -> int:
    from glmlab.classroom.lab import lab

    ours = ["--no-browser"] * options.no_browser + [f"--port={options.port}"] * (options.port is not None)
    try:
        lab([*ours, *rest])
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
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


def run_export(options, rest) -> int:
    from glmlab.classroom.export import export

    try:
        print(f"The page: {export(options.notebook, rerun=options.run)}")
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def run_doctor(options, rest) -> int:
    from glmlab.classroom.doctor import doctor

    return doctor()


def run_reset(options, rest) -> int:
    from glmlab.workspace import my_folder, reset, what_was_kept

    try:
        fresh, old = reset(options.notebook, my_folder())
        print(f"A fresh copy: {fresh}", what_was_kept(fresh, old), sep="\n")
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def run_prepare(options, rest) -> int:
    from glmlab.classroom.lab import prepare_hub

    prepare_hub()
    return 0


VERBS = {"lab": run_lab, "check": run_check, "export": run_export, "doctor": run_doctor, "reset": run_reset,
         "prepare": run_prepare}

if __name__ == "__main__":
    sys.exit(main())
