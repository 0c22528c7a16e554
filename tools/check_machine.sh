#!/usr/bin/env bash
# Run `make demo` and `make test` on a bare Debian machine: tools/check_machine.sh SUITE [FOLDER]
#
# SUITE is bookworm, trixie, sid, ...; FOLDER (by default /var/tmp/pyexpr-SUITE) is where
# the machine is made by debootstrap, or is found from an earlier run. It gets Python, g++, make,
# cmake and git, as the README asks, and nothing else; the last commit of this checkout is cloned
# into it. The commands' output goes to FOLDER.demo.log and FOLDER.test.log. TARGETS="demo test" are
# the targets of make; MIRROR is Debian's mirror. Needs root, for debootstrap and chroot.
set -euo pipefail
suite=${1:?usage: tools/check_machine.sh SUITE [FOLDER]}
machine=${2:-/var/tmp/pyexpr-$suite}
mirror=${MIRROR:-http://deb.debian.org/debian}
read -ra targets <<< "${TARGETS:-demo test}"
checkout=$(cd "$(dirname "$0")/.." && pwd)
needs=(python3 python3-venv python3-dev g++ make cmake git ca-certificates)

[ "$(id -u)" -eq 0 ] || { echo "check_machine.sh needs root: debootstrap and chroot do." >&2; exit 2; }
command -v debootstrap >/dev/null ||
    { echo "debootstrap is missing: apt-get install debootstrap" >&2; exit 2; }

if [ ! -e "$machine/.made" ]; then
    rm -rf "$machine"
    mkdir -p "$machine"
    debootstrap --variant=minbase "$suite" "$machine" "$mirror"
    touch "$machine/.made"
fi

mounted=()
unmount() {
    local place
    # The last mounted first.
    for ((i = ${#mounted[@]} - 1; i >= 0; i--)); do
        umount -l "$machine/${mounted[i]}" || true
    done
}
trap unmount EXIT
bind() {
    mount --bind "/$1" "$machine/$1"
    mounted+=("$1")
}
mount -t proc proc "$machine/proc"
mounted+=(proc)
for place in dev dev/shm dev/pts; do
    [ -d "/$place" ] && bind "$place"
done

# The network as this machine sees it: its resolver, and the certificates it trusts.
cp -L /etc/resolv.conf "$machine/etc/resolv.conf"
cp -L /etc/hosts "$machine/etc/hosts"
inside() {
    chroot "$machine" /usr/bin/env -i HOME=/srv LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin \
        DEBIAN_FRONTEND=noninteractive CI="${CI:-}" TORCH_INDEX="${TORCH_INDEX:-}" \
        PYTEST_ADDOPTS="${PYTEST_ADDOPTS:-}" "$@"
}
# A mirror may be a snapshot, whose lists have expired.
echo 'Acquire::Check-Valid-Until "false";' >"$machine/etc/apt/apt.conf.d/99snapshot"
inside apt-get update -qq
inside apt-get install -y -qq --no-install-recommends "${needs[@]}" >/dev/null
if [ -e /etc/ssl/certs/ca-certificates.crt ]; then
    cp -L /etc/ssl/certs/ca-certificates.crt "$machine/etc/ssl/certs/ca-certificates.crt"
fi

rm -rf "$machine/srv/pyexpr"
git -C "$checkout" bundle create -q "$machine/srv/pyexpr.bundle" HEAD
inside git clone -q /srv/pyexpr.bundle /srv/pyexpr
inside sh -c '. /etc/os-release; echo "$PRETTY_NAME, $(python3 -V), $(g++ -dumpfullversion)"'

failed=0
for target in "${targets[@]}"; do
    log="$machine.$target.log"
    began=$SECONDS
    if inside make -C /srv/pyexpr "$target" >"$log" 2>&1; then state=passed; else state=FAILED; failed=1; fi
    echo "make $target: $state in $((SECONDS - began)) s; see $log"
    tail -n 3 "$log" | sed 's/^/    /'
done
exit "$failed"
