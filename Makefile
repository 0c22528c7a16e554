# make demo | demo-deep | test-fast | test | test-lowest | test-newest | coverage-of-tests | lint | kernels |
# sanitized-extension | tsan | fuzz | faults | tidy | r-check | bench | parity | coverage | docs | clean.
# Everything lives in .venv and build/.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.stamp
SOURCES := $(shell find cpp CMakeLists.txt -name '*.cpp' -o -name '*.hpp' -o -name CMakeLists.txt)
# An editable install knows each module by its path: moved or new ones want a new install.
MODULES := build/.modules
$(shell mkdir -p build && find pyexpr -name '*.py' | LC_ALL=C sort > $(MODULES).now && \
  { cmp -s $(MODULES).now $(MODULES) || cp $(MODULES).now $(MODULES); })
# setuptools: some test requirements come as source, and old setuptools cannot make wheels.
BUILD_NEEDS := "scikit-build-core>=0.10" "pybind11>=3" "setuptools>=77" cmake ninja

# Bytecode is kept, or each of the hundreds of processes that the tests start compiles the package
# anew. pip makes none: compiling all of the packages takes a minute, and what is imported a quarter
# of that.
unexport PYTHONDONTWRITEBYTECODE
PIP := $(BIN)/python -m pip install -q --no-compile

# A file's tests share what they made, and tests/conftest.py says which file comes first.
PYTEST := $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

# An index with builds of torch for CPUs alone saves gigabytes of CUDA: TORCH_INDEX=https://...
TORCH_INDEX ?=

# STUDIES per cell, five times as many for jackknife_t; what an earlier run has simulated is kept.
STUDIES ?= 2000

.PHONY: demo demo-deep test-fast test debian bridge kernels-with-debian test-lowest test-newest coverage-of-tests lint kernels sanitized-extension tsan fuzz faults tidy r-check bench parity coverage docs golden clean install

demo: $(STAMP)-package
	@tools/install_r.sh $(VENV) || echo "pyexpr: going on without R." >&2
	$(BIN)/python -m pyexpr.cli.main demo demo

# The same with videos and the deep models; brings torch (6 GB) where it is missing.
demo-deep: $(STAMP)-deep
	@tools/install_r.sh $(VENV) || echo "pyexpr: going on without R." >&2
	$(BIN)/python -m pyexpr.cli.main demo --deep demo-deep

# The tests that need no R, no torch and no browser, and nothing of Debian but Python and g++.
test-fast: $(STAMP)-fast
	$(PYTEST) --fast

# Which lines and branches of pyexpr the fast tests reach.
coverage-of-tests: export COVERAGE_FILE := $(abspath build)/.coverage
coverage-of-tests: $(STAMP)-coverage
	$(PYTEST) --fast --cov pyexpr --cov-branch --cov-report term --cov-report html:build/coverage_of_tests

# Python's packages come and the types are checked while Debian's come and the kernels compile, all
# of it at once, so that no processor waits for a download.
test: $(STAMP)-venv
	$(MAKE) --no-print-directory -j3 --output-sync=target lint bridge kernels-with-debian
	$(PYTEST)

# All tests but those that need torch, Sphinx, mypy or the R package, and that of the study of coverage,
# with the lowest versions of the requirements, and with the newest. Deprecations are no errors in
# the former: newer libraries raise them about older ones there, and those about our own code are
# errors in the latter.
WITHOUT_DEEP := --ignore tests/deep --ignore tests/behavior/test_video.py \
  --ignore tests/study/test_deep_stage.py --ignore tests/study/test_video_study.py \
  --ignore tests/documentation --ignore tests/hosted --ignore tests/test_coverage_study.py \
  --ignore tests/test_typed_face.py

test-lowest:
	@tools/test_versions.sh lowest $(PYTHON) -W ignore::DeprecationWarning $(WITHOUT_DEEP)

test-newest:
	@tools/test_versions.sh newest $(PYTHON) $(WITHOUT_DEEP)

lint: $(STAMP)-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	find cpp -name '*.[ch]pp' -exec $(BIN)/clang-format --dry-run --Werror {} +
	c++ -std=c++20 -fsyntax-only -Wall -Wextra -Werror -Icpp/include cpp/fuzz/*.cpp

# Doctest, and all else of Debian's that the tests need; with Python's packages, the bridge to R.
debian:
	tools/install_r.sh $(VENV) tests debian

bridge: $(STAMP)-test debian
	tools/install_r.sh $(VENV) tests

# The kernels take what the installation of packages leaves of the processors: that takes longer.
kernels-with-debian: debian
	nice -n 10 $(MAKE) --no-print-directory kernels

# With the cmake of the virtual environment where the machine has none.
kernels:
	PATH="$$PATH:$(abspath $(BIN))" cmake --preset kernels
	PATH="$$PATH:$(abspath $(BIN))" cmake --build --preset kernels
	PATH="$$PATH:$(abspath $(BIN))" ctest --preset kernels

# The extension as Python loads it, under the sanitizers: arguments, buffers and references that the
# kernels' own tests do not cross. libstdc++ beside libasan, or the first exception ends the process;
# Python itself never frees all, so leaks are not looked for. A fault ends the process: it is printed
# after the name of its test, so pytest may not keep it. Processes that tests start have the usual
# extension.
SANITIZED_TESTS ?= tests/core tests/fuzz/test_bindings.py
sanitized-extension: $(STAMP)-fast
	PATH="$(abspath $(BIN)):$$PATH" cmake --preset extension \
	  -DPython_EXECUTABLE="$(abspath $(BIN))/python" \
	  -Dpybind11_DIR="$$($(BIN)/python -m pybind11 --cmakedir)"
	PATH="$(abspath $(BIN)):$$PATH" cmake --build --preset extension
	LD_PRELOAD="$$(c++ -print-file-name=libasan.so) $$(c++ -print-file-name=libstdc++.so)" \
	  ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1 \
	  $(BIN)/python tools/with_extension.py build/extension pytest -v --capture=sys \
	  -p no:cacheprovider -k "not memory_that_is_not_there" $(SANITIZED_TESTS)

# The kernels' own tests, and the Python tests of those that have threads, under the thread sanitizer:
# its library is loaded first. Python is not instrumented, so what happens in it alone is not seen;
# neither is NumPy's BLAS, whose threads would be reported, so that it gets one thread.
TSAN_TESTS ?= tests/core/test_cluster_bootstrap.py tests/core/test_elastic_net_kernel.py \
  tests/core/test_logistic_net_kernel.py tests/core/test_interrupts.py \
  tests/core/test_many_threads.py tests/core/test_threads_at_once.py
tsan: $(STAMP)-fast
	PATH="$(abspath $(BIN)):$$PATH" cmake --preset threads \
	  -DPython_EXECUTABLE="$(abspath $(BIN))/python" \
	  -Dpybind11_DIR="$$($(BIN)/python -m pybind11 --cmakedir)"
	PATH="$(abspath $(BIN)):$$PATH" cmake --build --preset threads
	build/threads/kernel_tests --no-intro
	LD_PRELOAD="$$(c++ -print-file-name=libtsan.so) $$(c++ -print-file-name=libstdc++.so)" \
	  TSAN_OPTIONS=halt_on_error=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python \
	  tools/with_extension.py build/threads \
	  pytest -v --capture=sys -p no:cacheprovider $(TSAN_TESTS)

# Coverage-guided fuzzing, so many seconds of each target: libFuzzer (Clang) for what is C++, atheris
# for what is Python where PyPI has it for this Python, else changes by chance. A finding ends it and
# stays in tests/fuzz/corpus as found-...; what is new to the fuzzer is kept in build/fuzz/corpus.
# Freed memory is held back for a megabyte instead of 256, which no cache keeps, without the calls
# that led to it, and leaks are looked for at the end alone: a quarter more inputs a second. Run a
# finding again without these options for the whole report.
FUZZ_SECONDS ?= 60
FUZZ_ASAN ?= quarantine_size_mb=1:malloc_context_size=0
FUZZ_TARGETS ?= csv_reader kernels
FUZZ_PYTHON_TARGETS ?= bindings model_syntax table openface layout study_file saved_result \
  stage report
fuzz: $(STAMP)-fast
	@command -v clang++ >/dev/null || { echo "no Clang: apt-get install clang" >&2; exit 1; }
	PATH="$$PATH:$(abspath $(BIN))" cmake --preset fuzz
	PATH="$$PATH:$(abspath $(BIN))" cmake --build --preset fuzz
	set -e; for name in $(FUZZ_TARGETS); do \
	  mkdir -p build/fuzz/corpus/$$name; \
	  ASAN_OPTIONS=$(FUZZ_ASAN) build/fuzz/fuzz_$$name build/fuzz/corpus/$$name tests/fuzz/corpus/$$name \
	    -artifact_prefix=tests/fuzz/corpus/$$name/found- -max_total_time=$(FUZZ_SECONDS) \
	    -max_len=4096 -timeout=30 -detect_leaks=0 -print_final_stats=1; \
	done
	$(PIP) atheris || echo "no atheris for this Python: by chance" >&2
	set -e; for name in $(FUZZ_PYTHON_TARGETS); do \
	  PYTHONPATH=tests $(BIN)/python -m fuzz $$name --seconds $(FUZZ_SECONDS); \
	done

# Every write, rename, fsync and creation of a file fails once, and the process is killed before each;
# see tests/faults. `make test` has a few of them.
faults: $(STAMP)-fast
	cd tests && ../$(BIN)/python -m faults ../build/faults

# What the warnings of compilers do not see; .clang-tidy has the checks with their reasons.
tidy: $(STAMP)-tidy
	PATH="$$PATH:$(abspath $(BIN))" cmake --preset kernels
	$(BIN)/clang-tidy -p build/kernels --quiet --warnings-as-errors='*' cpp/src/*.cpp

# The R package as CRAN checks it; a part of the tests.
r-check: $(STAMP)-test
	tools/install_r.sh $(VENV) tests
	tools/r_check.sh $(BIN)/python

bench: $(STAMP)-test
	tools/install_r.sh $(VENV) tests
	$(BIN)/python benchmarks/run.py

# Every equality with software not ours, docs/validation.md; glmnet's only where it is installed.
parity: $(STAMP)-test
	tools/install_r.sh $(VENV) tests
	cd tests && ../$(BIN)/python -m parity

coverage: $(STAMP)-package
	$(BIN)/python benchmarks/coverage_study/run.py --studies $(STUDIES)
	$(BIN)/python benchmarks/coverage_study/awkward.py --studies $(STUDIES)
	$(BIN)/python benchmarks/coverage_study/classification.py --studies $(STUDIES)
	$(BIN)/python benchmarks/coverage_study/measurement.py --studies $(STUDIES)
	$(BIN)/python benchmarks/coverage_study/reliability.py --studies $(STUDIES)
	$(BIN)/python benchmarks/coverage_study/training.py --studies $(STUDIES)
	$(BIN)/python benchmarks/coverage_study/chain.py --studies $(STUDIES)
	$(BIN)/python benchmarks/coverage_study/coefficients.py
	$(BIN)/python benchmarks/coverage_study/plans.py
	for study in agreement components shares pooling raters traces contrasts ceiling dyads \
	    error_slopes importance; do \
	  $(BIN)/python benchmarks/coverage_study/$$study.py --studies $(STUDIES) || exit 1; \
	done

docs: $(STAMP)-docs
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

# The numbers that R makes for the tests; their scripts are committed with them.
# Needs r-cran-glmnet besides what the tests need.
golden:
	cd tests/golden && for script in make_*.R; do Rscript --vanilla $$script || exit 1; done

install: $(STAMP)-package

clean:
	rm -rf $(VENV) .venv-lowest .venv-newest build demo demo-deep

$(STAMP)-venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "pyexpr needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "python3-venv is missing: apt-get install python3-venv python3-dev" >&2; exit 1; }
	@$(PYTHON) -c 'import os, sysconfig as s, sys; sys.exit(not os.path.exists(os.path.join(s.get_path("include"), "Python.h")))' || \
	  { echo "Python.h is missing: apt-get install python3-dev" >&2; exit 1; }
	@command -v c++ >/dev/null || { echo "no C++ compiler: apt-get install g++" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) --upgrade pip $(BUILD_NEEDS)
	touch $@

# Without build isolation a rebuild takes seconds: the build directory is kept.
$(STAMP)-package: $(STAMP)-venv pyproject.toml $(SOURCES) $(MODULES)
	$(PIP) --no-build-isolation -e .
	touch $@

$(STAMP)-fast: $(STAMP)-package
	$(PIP) --no-build-isolation -e '.[test-fast]'
	touch $@

# Both from one index and in one command, or torchvision's operators do not match torch. An index of
# its own may lack what they need: the package brings it first.
$(STAMP)-torch: $(if $(TORCH_INDEX),$(STAMP)-package,$(STAMP)-venv)
	if [ -n "$(TORCH_INDEX)" ]; then \
	  $(PIP) --index-url "$(TORCH_INDEX)" torch torchvision; fi
	touch $@

$(STAMP)-deep: $(STAMP)-package $(STAMP)-torch
	$(PIP) --no-build-isolation -e '.[deep]'
	touch $@

$(STAMP)-docs: $(STAMP)-package
	$(PIP) --no-build-isolation -e '.[docs]'
	touch $@

$(STAMP)-coverage: $(STAMP)-fast
	$(PIP) 'pytest-cov>=6'
	touch $@

$(STAMP)-tidy: $(STAMP)-venv pyproject.toml
	$(PIP) clang-tidy==23.1.4
	touch $@

# All in one go, the package too: a second one would build and resolve again.
$(STAMP)-test: $(STAMP)-torch pyproject.toml $(SOURCES) $(MODULES)
	$(PIP) --no-build-isolation -e '.[test,lint,deep,docs]'
	touch $(STAMP)-package
	touch $(STAMP)-torch
	touch $(STAMP)-deep $(STAMP)-docs $(STAMP)-fast
	touch $@
