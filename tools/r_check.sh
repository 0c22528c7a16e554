#!/usr/bin/env bash
# Build the R package and check it as CRAN does, with the Python $1 (by default that of
# .venv). All files go to a folder of their own, $2 or a new one. "Status: OK" or it fails.
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
rm -rf R pyexpr pyexpr.Rcheck pyexpr_*.tar.gz
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
echo "== R CMD check"
R CMD check --as-cran --no-manual pyexpr_*.tar.gz >check.log 2>&1 || true
cat check.log
if ! grep -q '^Status: OK' check.log; then
    cat pyexpr.Rcheck/00install.out pyexpr.Rcheck/tests/*.Rout.fail 2>/dev/null || true
    exit 1
fi
