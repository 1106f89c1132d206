# `make` alone prints the verbs. Everything that decides something is in tools/ and in `python -m glmlab`.
.DEFAULT_GOAL := help
.PHONY: help setup course lab test test-full test-arithmetic hosts sites soak browser bench bench-grid checks scale peers lint notebooks book pdf offline lock reset doctor clean
SHELL := /bin/sh

# The first Python on the PATH that is new enough, under any of its usual names.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV ?= .venv
export VENV
PY := $(VENV)/bin/python
PYTEST := $(PY) -m pytest -n 2 --dist loadfile
# Figures and performance reports carry their own scripts: nothing is fetched from a network.
export BOKEH_RESOURCES := inline
ARGS ?=
SCALE ?= workshop
# A benchmark is at full size, or small enough for a test.
RACE := $(if $(filter ci,$(SCALE)),ci --repetitions 1,full)

help:  ## print the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:  ## make .venv with the pinned packages (nothing to do the second time)
	@test -n "$(PYTHON)" || { echo "No Python 3.11 or newer on the PATH. Type: make PYTHON=/path/to/python3.12 lab" >&2; exit 1; }
	@"$(PYTHON)" tools/setup.py $(ONLY)

# What reads the course needs less than what tests it.
course: ONLY := --course
course: setup  ## make .venv with what the course needs alone

lab: course  ## open the course in JupyterLab (make lab ARGS="--no-browser")
	@$(PY) -m glmlab lab $(ARGS)

test: setup lint  ## lint, unit tests, every notebook as shipped
	$(PYTEST) -m "not slow"
	$(PY) -m tools.notebooks run

test-full: test  ## the same, then the slow tests and the notebooks with their solutions
	$(PYTEST) -m "slow and not browser and not hosts and not sites"
	$(PY) -m tools.notebooks run --solved

test-arithmetic: setup  ## the fast tests on other processors' arithmetic (ARGS=--list, ARGS="numpy no-numba")
	$(PY) -m tools.arithmetic $(ARGS)

hosts: setup  ## a cluster under TLS on several hosts, in network namespaces of this machine (Linux, as root)
	$(PY) -m pytest -m hosts tests/hosts

sites: setup  ## dask started by ssh, Slurm and MPI, and the manifests for Kubernetes; installs the packages it needs
	@$(PY) -m tools.peers sites
	$(PY) -m pytest -m sites tests/sites

soak: setup  ## fits go on while a worker dies every 20 s, for half an hour (ARGS=5: five minutes)
	$(PY) -m tools.soak $(ARGS)

browser: setup  ## the lab and the book in Chromium, as a reader meets them; screenshots in build/browser
	@rm -rf build/browser
	$(PY) -m pytest -m browser tests/browser

lint: setup  ## ruff
	$(PY) -m ruff check .

notebooks: setup  ## (authors) write notebooks/*.ipynb from notebooks/src/*.py
	$(PY) -m tools.notebooks sync

book: setup  ## the executed course as a static site in build/book (SCALE=ci for a quick one)
	@$(PY) -m tools.book $(SCALE)

pdf: setup  ## the book and its cheat sheet as build/glmlab.pdf and build/cheat_sheet.pdf; needs Chromium (SCALE=ci too)
	@$(PY) -m tools.pdf $(SCALE)

peers: setup  ## install the solvers that `make bench` compares with (those that this machine can have)
	@$(PY) -m tools.peers bench

bench: peers  ## every claim about speed, as ratios of interleaved runs; about an hour (SCALE=ci: a minute)
	@$(PY) -m glmlab.bench headline --scale $(RACE) $(ARGS)

bench-grid: peers  ## every solver and peer on every problem; hours, goes on where it stopped (SCALE=ci too)
	@$(PY) -m glmlab.bench grid --scale $(RACE) $(ARGS)

checks: peers  ## how our estimators and the peers' fare in scikit-learn's own checks; some minutes
	@$(PY) -m tools.checks

scale: setup  ## the post's 800 million rows, never stored; Ctrl-C stops it, the same command goes on (SCALE=ci)
	@$(PY) -m glmlab.bench.scale $(filter ci,$(SCALE)) $(ARGS)

offline: setup  ## a zip in build/offline that needs neither a network nor git to be set up (ARGS=--course: the course alone)
	@$(PY) -m tools.offline $(ARGS)

lock: setup  ## (authors) write requirements.lock from what is installed
	@$(PY) -m tools.lock > requirements.lock.new && mv requirements.lock.new requirements.lock

reset: course  ## a fresh copy of one notebook, yours kept beside it: make reset NB=00
	@$(PY) -m glmlab reset $(NB)

doctor: course  ## can this machine run the course?
	@$(PY) -m glmlab doctor

clean:  ## delete what set-up and the tests made; my/ stays
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
