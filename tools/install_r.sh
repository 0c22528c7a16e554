#!/usr/bin/env bash
# Install R, lavaan and the bridge to R into the virtual environment $1, where missing.
# With "tests" as $2 also the R packages that the tests compare against.
# With "debian" as $3 only what comes from Debian; the bridge then comes with the next call.
# Exit status 0 if R's part works afterwards, 1 (with what to do) if not.
set -u
python="$1/bin/python"
packages=(r-base-core r-base-dev r-cran-lavaan)
wanted=(lavaan)
if [ "${2:-}" = tests ]; then
    packages+=(r-cran-psych r-cran-boot r-cran-lme4 r-cran-clubsandwich doctest-dev
        chromium fonts-dejavu-core)
    wanted+=(psych boot lme4 clubSandwich)
    # What the R package needs, its tests, its documentation and R CMD check.
    packages+=(r-cran-reticulate r-cran-rlang r-cran-tibble r-cran-generics r-cran-bit64
        r-cran-ggplot2 r-cran-testthat r-cran-roxygen2 r-cran-pkgload r-cran-knitr
        r-cran-rmarkdown r-cran-tidyselect r-cran-dplyr r-cran-lubridate pandoc qpdf)
    wanted+=(reticulate rlang tibble generics bit64 ggplot2 testthat roxygen2 pkgload knitr
        rmarkdown tidyselect dplyr lubridate)
fi

# Which version of the bridge this R wants is written once, in the package.
bridge() { "$python" -m pyexpr.measurement.engines.r_install; }

# A bridge made for another R is found by importing it, and only fails when R starts.
r_starts() {
    "$python" -c 'import rpy2.rinterface as r; r.initr(interactive=False); r.baseenv["gc"]()' \
        >/dev/null 2>&1
}

fail() {
    printf '\npyexpr: %s\n' "$1" >&2
    cat >&2 <<TEXT
The factor model needs R and lavaan; everything else works without them. To fix this, run
    apt-get install --no-install-recommends ${packages[*]}
    RPY2_CFFI_MODE=API $python -m pip install --no-cache-dir $(bridge 2>/dev/null || echo rpy2-rinterface)
and then this command again.
TEXT
    exit 1
}

have_r() {
    command -v R >/dev/null && command -v Rscript >/dev/null || return 1
    local list
    list=$(printf '"%s",' "${wanted[@]}")
    Rscript --vanilla -e "q(status = as.integer(!all(c(${list%,}) %in% rownames(installed.packages()))))" \
        >/dev/null 2>&1
}

have_headers() {
    [ -e "$(R RHOME)/include/Rinternals.h" ] || [ -e /usr/share/R/include/Rinternals.h ]
}

# The report's tests open it in a browser.
have_tools() {
    [ "${2:-}" != tests ] || { [ -e /usr/include/doctest/doctest.h ] &&
        command -v pandoc >/dev/null && command -v qpdf >/dev/null && [ -x /usr/bin/chromium ]; }
}

if ! { have_r && have_headers && have_tools "$@"; }; then
    command -v apt-get >/dev/null || fail "this is not a Debian system: install R and lavaan by hand."
    as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || fail "installing R needs root or sudo."
        as_root=(sudo)
    fi
    "${as_root[@]}" apt-get update -qq || fail "apt-get update failed."
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${packages[@]}" || fail "apt-get install failed."
fi

[ "${3:-}" != debian ] || exit 0

if ! r_starts; then
    # API mode needs R's headers; a cached wheel may have been built without them.
    RPY2_CFFI_MODE=API "$python" -m pip install -q --no-cache-dir "$(bridge)" ||
        fail "$(bridge) could not be built."
    r_starts || fail "$(bridge) is installed, but R does not start with it."
fi
