# make run    a gateway on http://127.0.0.1:39999 over ./data
# make test   everything that judges a change
# make check  the quick part of it
# make fuzz   hostile input for every parser, SECONDS of each
# make test-history  clients of several gateways see one order of things, for minutes
# make test-faults  every system call of every action fails in every way it can (minutes)
# make test-crash  kills and power cuts at every change of every request (minutes; root for some)
# make test-filesystems  on mounted shared file systems (root; what is missing is skipped)

SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= 2
# The least branch coverage that is accepted, in percent.
COVERAGE ?= 95

.PHONY: run install dev check format lint types imports test test-faults test-history test-crash test-filesystems unit coverage fuzz deb clean
.DEFAULT_GOAL := help

help:
	@sed -n 's/^# make/make/p' Makefile

# -- environments ---------------------------------------------------------------

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "s3gate needs Python 3.11 or later; say which with: make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	    { echo "Python's venv module is missing.  On Debian: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: setup.py pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.developed: setup.py pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(VENV)/.installed

install: $(VENV)/.installed

dev: $(VENV)/.developed

run: install
	@exec $(BIN)/s3gate run --root data --state run

# -- judgement --------------------------------------------------------------------

check: format lint types imports

format: dev
	$(BIN)/ruff format --quiet --check --diff .

lint: dev
	$(BIN)/ruff check --quiet .

types: dev
	$(BIN)/mypy

imports: dev
	$(BIN)/lint-imports --no-logo 2>&1 | tail -n 4; exit $${PIPESTATUS[0]}

unit: dev
	$(BIN)/pytest -q -n $(JOBS)

test: check
	$(BIN)/pytest -q -n $(JOBS) --cov --cov-fail-under=$(COVERAGE) --cov-report=term

test-history: dev
	S3GATE_TEST_SEEDS=500 S3GATE_TEST_LENGTH=7 $(BIN)/pytest -q -n $(JOBS) --timeout 3600 tests/history
	$(BIN)/pytest -q -s -n 0 -m history tests/history

test-faults: dev
	$(BIN)/pytest -q -n $(JOBS) -m faults tests/faults

test-crash: dev
	$(BIN)/pytest -q -n $(JOBS) -m crash tests/crash

test-filesystems: dev
	$(BIN)/pytest -q -m filesystems --log-cli-level=INFO tests/filesystems

# For each target.
SECONDS ?= 60

fuzz: dev
	$(BIN)/python -m fuzz all --seconds $(SECONDS)

# -- products -----------------------------------------------------------------------

deb:
	dpkg-buildpackage --unsigned-source --unsigned-changes --build=binary

clean:
	rm -rf build dist *.egg-info htmlcov .coverage .coverage.* twisted/plugins/dropin.cache
	find s3daemon tests twisted bench -name __pycache__ -type d -prune -exec rm -rf {} +
