#!/bin/sh
# Creates the virtual environment $1 and installs the lock files that follow, then this project, editable.
# Works on a bare Debian: where python3 comes without venv or ensurepip, Debian's package is installed first.
set -eu
venv=$1
shift

say() { printf '%s\n' "$*" >&2; }

usable() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }

find_python() {
    for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11; do
        if command -v "$candidate" >/dev/null 2>&1 && usable "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    say "Modembank needs Python 3.11, 3.12 or 3.13; none was found. On Debian: apt-get install python3 python3-venv"
    exit 1
}

make_venv() {
    if "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        "$python" -m venv "$venv"
        return
    fi
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    say "this python3 cannot make environments; installing Debian's python$version-venv"
    sh "$(dirname "$0")/debian-packages.sh" "python$version-venv"
    "$python" -m venv "$venv"
}

python=$(find_python)
if ! [ -x "$venv/bin/pip" ] || ! usable "$venv/bin/python"; then
    rm -rf "$venv"
    say "creating $venv with $("$python" --version)"
    make_venv
fi

requirements=
for lock in "$@"; do requirements="$requirements -r $lock"; done
say "installing the locked dependencies"
# shellcheck disable=SC2086  # the list of -r options is meant to split
"$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes --no-deps $requirements
"$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .

# What tells at once of modems that are plugged in. Without it the box looks every few seconds.
"$venv/bin/python" -c 'import ctypes; ctypes.CDLL("libudev.so.1")' 2>/dev/null ||
    sh "$(dirname "$0")/debian-packages.sh" libudev1 || true
