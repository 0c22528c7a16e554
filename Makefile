# make demo | test | lint | kernels | bench | parity | coverage | clean. Everything lives in .venv and build/.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp
SOURCES := $(shell find cpp CMakeLists.txt -name '*.cpp' -o -name '*.hpp' -o -name CMakeLists.txt)
BUILD_NEEDS := "scikit-build-core>=0.10" "pybind11>=3" cmake ninja

# STUDIES per cell; what an earlier run has simulated is kept.
STUDIES ?= 1000

.PHONY: demo test lint kernels bench parity coverage golden clean install

demo: $(STAMP)-package
	@tools/install_r.sh $(VENV) || echo "pyexpr: going on without R." >&2
	$(BIN)/python -m pyexpr.cli.main demo demo

test: $(STAMP)-test
	tools/install_r.sh $(VENV) tests
	$(MAKE) --no-print-directory lint kernels
	$(BIN)/python -m pytest

lint: $(STAMP)-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	git ls-files '*.cpp' '*.hpp' | xargs $(BIN)/clang-format --dry-run --Werror

kernels:
	cmake --preset kernels
	cmake --build --preset kernels
	ctest --preset kernels

bench: $(STAMP)-test
	tools/install_r.sh $(VENV) tests
	$(BIN)/python benchmarks/run.py

# Every equality with software not ours, docs/validation.md; glmnet's only where it is installed.
parity: $(STAMP)-test
	tools/install_r.sh $(VENV) tests
	cd tests && ../$(BIN)/python -m parity

coverage: $(STAMP)-package
	$(BIN)/python benchmarks/coverage_study/run.py --studies $(STUDIES)

# The numbers that R makes for the tests; their scripts are committed with them.
# Needs r-cran-glmnet besides what the tests need.
golden:
	cd tests/golden && for script in make_*.R; do Rscript --vanilla $$script || exit 1; done

install: $(STAMP)-package

clean:
	rm -rf $(VENV) build demo

$(STAMP)-venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "pyexpr needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "python3-venv is missing: apt-get install python3-venv python3-dev" >&2; exit 1; }
	@$(PYTHON) -c 'import os, sysconfig as s, sys; sys.exit(not os.path.exists(os.path.join(s.get_path("include"), "Python.h")))' || \
	  { echo "Python.h is missing: apt-get install python3-dev" >&2; exit 1; }
	@command -v c++ >/dev/null || { echo "no C++ compiler: apt-get install g++" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --upgrade pip $(BUILD_NEEDS)
	touch $@

# Without build isolation a rebuild takes seconds: the build directory is kept.
$(STAMP)-package: $(STAMP)-venv pyproject.toml $(SOURCES)
	$(BIN)/python -m pip install -q --no-build-isolation -e .
	touch $@

$(STAMP)-test: $(STAMP)-package
	$(BIN)/python -m pip install -q --no-build-isolation -e '.[test]'
	touch $@
