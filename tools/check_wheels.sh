#!/usr/bin/env bash
# check_wheels.sh FOLDER: checks wheels and source distributions without installing them:
# metadata (twine), contents (check-wheel-contents), and for Linux the symbols that the
# extension wants of its system (auditwheel; readelf where it is). Needs
# pip install twine check-wheel-contents auditwheel.
set -euo pipefail
folder=${1:?usage: tools/check_wheels.sh FOLDER}
python -m twine check --strict "$folder"/*
# W002: some folders begin with equal, empty __init__.py files.
check-wheel-contents --ignore W002 "$folder"/*.whl
for wheel in "$folder"/*linux*.whl; do
  [ -e "$wheel" ] || continue
  auditwheel show "$wheel"
  command -v readelf >/dev/null || continue
  place=$(mktemp -d)
  python -m zipfile -e "$wheel" "$place"
  for extension in "$place"/pyexpr/_core*.so; do
    echo "$(basename "$wheel"): $(du -k "$extension" | cut -f1) KiB; newest versions wanted:" \
      "$(readelf --version-info "$extension" | grep -oE '(GLIBC|GLIBCXX|CXXABI|GCC)_[0-9.]+' | sort -uV |
        awk -F_ '{last[$1] = $0} END {for (name in last) printf "%s ", last[name]}')"
    exported=$(readelf --wide --dyn-syms "$extension" |
      awk '$5 == "GLOBAL" && $7 != "UND" {print $8}' | grep -v '^PyInit__core$' || true)
    # Others' symbols in the table would be found by other extensions in the same process.
    [ -z "$exported" ] || echo "$(basename "$wheel"): exports besides PyInit__core: $(echo "$exported" | head -5 | tr '\n' ' ')"
  done
  rm -rf "$place"
done
