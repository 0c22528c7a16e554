#!/usr/bin/env bash
# Build the R package and check it as CRAN does, with the Python $1 (by default that of .venv) and
# without any. All files go to a folder of their own, $2 or a new one. "Status: OK" or it fails.
# With "gate" as $3 nothing runs twice that is certain to run the same.
set -euo pipefail
root="$(cd "$(dirname "$0")/.." && pwd)"
python="$(realpath --no-symlinks "${1:-$root/.venv/bin/python}")"
work="${2:-$(mktemp -d)}"
mkdir -p "$work"
cd "$work"
if [ -e .git ] || [ -e pyproject.toml ]; then
    echo "$work is a project: the check clears the folder pyexpr in its own, so name another" >&2
    exit 1
fi

# Tests are never skipped: where NOT_CRAN is set, a missing Python is an error.
export RETICULATE_PYTHON="$python" NOT_CRAN=true
export _R_CHECK_CRAN_INCOMING_REMOTE_=false _R_CHECK_SYSTEM_CLOCK_=0
# A busy machine is no fault of an example; the tests run a whole study, not the examples.
export _R_CHECK_EXAMPLE_TIMING_THRESHOLD_=600 _R_CHECK_DONTTEST_EXAMPLES_=false
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 LC_ALL=C.UTF-8

# The package as git has it, without what lies about; all of it in a source tree without git.
rm -rf R pyexpr with without home pyexpr_*.tar.gz
if [ -e "$root/.git" ] && git -C "$root" rev-parse --git-dir >/dev/null 2>&1; then
    (cd "$root" && git ls-files -z --cached --others --exclude-standard R) |
        tar -C "$root" --null -T - -cf - | tar -xf -
else
    cp -r "$root/R" R
fi
mv R pyexpr

echo "== roxygenise"
noted="$(sed -n 's/^RoxygenNote: *//p' pyexpr/DESCRIPTION)"
installed="$(Rscript -e 'cat(as.character(packageVersion("roxygen2")))')"
if [ "$noted" = "$installed" ]; then
    cp -r pyexpr documented
    Rscript -e 'roxygen2::roxygenise("documented")' >roxygen.log 2>&1 || { cat roxygen.log; exit 1; }
    diff -r pyexpr documented || {
        echo "roxygenise changes the package: run it in R/ (twice), commit NAMESPACE and man/" >&2
        exit 1
    }
    rm -rf documented
else
    echo "not compared: man/ was made by roxygen2 $noted, and $installed is installed"
fi

echo "== R CMD build"
R CMD build pyexpr >build.log 2>&1 || { cat build.log; exit 1; }
# Fails unless the check of the package in the folder $1 says "Status: OK"; the rest goes to R.
check() {
    local folder=$1
    shift
    mkdir -p "$folder"
    (cd "$folder" && "$@" R CMD check --as-cran --no-manual "${options[@]}" \
        "$work"/pyexpr_*.tar.gz) >"$folder/check.log" 2>&1 || true
    cat "$folder/check.log"
    grep -q '^Status: OK' "$folder/check.log" || {
        cat "$folder"/pyexpr.Rcheck/00install.out "$folder"/pyexpr.Rcheck/tests/*.Rout.fail 2>/dev/null || true
        exit 1
    }
}

# As CRAN has it: no Python is named or has the package, and nothing may be brought along.
mkdir -p home
without_python=(env -u RETICULATE_PYTHON -u NOT_CRAN -u VIRTUAL_ENV -u CONDA_PREFIX -u PYTHONPATH
    HOME="$work/home" WORKON_HOME="$work/home" PATH="$(dirname "$(command -v R)"):/usr/bin:/bin")

# In the gate the vignettes have run when they were built, and without Python the tests alone run.
options=()
[ "${3:-}" != gate ] || options=(--no-vignettes)

echo "== R CMD check"
check with env
echo "== without Python"
if [ "${3:-}" = gate ]; then
    R_LIBS="$work/with/pyexpr.Rcheck" "${without_python[@]}" Rscript -e '
        found <- testthat::test_dir("pyexpr/tests/testthat", package = "pyexpr",
            load_package = "installed", reporter = "check", stop_on_failure = TRUE)
        skipped <- sum(as.data.frame(found)$skipped)
        if (!skipped) stop("Python was found, so nothing was skipped")'
else
    check without "${without_python[@]}"
fi
# What was downloaded would lie there.
[ -z "$(find home -type f)" ] || { find home -type f >&2; exit 1; }
