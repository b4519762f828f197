# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
#
#   make demo   set up, run six live cameras to a cloud, pictures and figures in out/demo/
#   make test   set up, lint, types, every test, core again on NumPy 1.26 (Python 3.10 to 3.12)
#   make lint   ruff and mypy
#   make clean  remove what these made
#
# Set-up runs once: each step leaves a stamp in the virtual environment.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV ?= .venv
TORCH ?= 2.13.0
NUMPY1 ?= 1.26.4
PYTEST_ARGS ?=
# Much of a live graph's test is waiting: two processes on two cores take half of the time of one.
TEST_JOBS ?= 2

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
OLD := .venv-numpy1
# In the order of test/conftest.py, longest first: xdist would begin with the files of most tests.
IN_PARALLEL := -n $(TEST_JOBS) --dist loadfile --no-loadscope-reorder
# Nothing in these files of test/core imports NumPy (test/packaging/test_makefile.py).
WITHOUT_NUMPY := config files strict_yaml sync sync_rates
CODE := selfdepth_ros training test launch benchmarks setup.py
export PYTHON
# Set where make is called by another environment's Python with ROS wheels: ours looks for its own.
unexport _ROS_WHEELS_BOOTSTRAP_COMPLETE

.PHONY: help demo test test-numpy1 lint setup-demo setup-test clean

help:
	@sed -n 's/^#   //p' Makefile

demo: setup-demo
	$(BIN)/selfdepth demo

test: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(IN_PARALLEL) $(PYTEST_ARGS)
	@if $(BIN)/python -c 'import sys; sys.exit(sys.version_info >= (3, 13))'; \
	then $(MAKE) test-numpy1; \
	else echo 'NumPy $(NUMPY1) is not built for this Python: its tests are left to 3.10 to 3.12'; fi

test-numpy1: $(OLD)/.stamp
	OMP_NUM_THREADS=1 $(OLD)/bin/python -m pytest test/core --numpy-major 1 \
	  $(WITHOUT_NUMPY:%=--ignore test/core/test_%.py) $(IN_PARALLEL) $(PYTEST_ARGS)

lint: setup-test
	$(BIN)/ruff check $(wildcard $(CODE))
	$(BIN)/ruff format --check $(wildcard $(CODE))
	$(BIN)/mypy

setup-demo: $(VENV)/.stamp-demo
setup-test: $(VENV)/.stamp-test

$(VENV)/.stamp-venv:
	@$(PYTHON) -c 'import sys; v = sys.version_info; \
	  sys.exit(None if v >= (3, 10) else f"Python 3.10 or newer is needed, $(PYTHON) is {v[0]}.{v[1]}")'
	scripts/system_libraries.sh
	$(PYTHON) -m venv $(VENV) \
	  || { echo 'no venv module: sudo apt-get install -y python3-venv' >&2; exit 1; }
	touch $@

$(VENV)/.stamp-demo: $(VENV)/.stamp-venv setup.py
	$(PIP) install -q -e '.[ros,synthetic]'
	touch $@

# A browser for the tests of `selfdepth view` and of reports; without one they are skipped.
# The CPU build of torch by its own name; where no index knows that name, whatever is offered.
$(VENV)/.stamp-test: $(VENV)/.stamp-venv setup.py
	scripts/test_browser.sh
	$(BIN)/python -c 'import torch' 2>/dev/null \
	  || $(PIP) install -q 'torch==$(TORCH)+cpu' 2>/dev/null || $(PIP) install -q 'torch==$(TORCH)'
	$(PIP) install -q -e '.[ros,synthetic,train,view,test]'
	touch $@ $(VENV)/.stamp-demo

# NumPy 1.26 in front, everything else from the main environment behind it.
$(OLD)/.stamp: $(VENV)/.stamp-test
	$(BIN)/python -m venv --clear $(OLD)
	$(OLD)/bin/python -m pip --disable-pip-version-check install -q 'numpy==$(NUMPY1)'
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
	  > "$$($(OLD)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/main.pth"
	touch $@

# What else is in out/ (a training of days) is not of make.
clean:
	rm -rf $(VENV) $(OLD) build install log out/demo *.egg-info .pytest_cache .mypy_cache .ruff_cache
	@rmdir out 2>/dev/null || true
