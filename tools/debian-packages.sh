#!/bin/sh
# Installs the Debian packages named as arguments that are not installed yet; says what to do where it may not.
set -eu

missing=
for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    as_root=
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    as_root='sudo -n'
else
    printf 'these Debian packages are needed:%s\nrun: sudo apt-get install%s\n' "$missing" "$missing" >&2
    exit 1
fi
printf 'installing Debian packages:%s\n' "$missing" >&2
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086  # the list of packages is meant to split
{
    $as_root apt-get update -qq
    $as_root apt-get install -y -qq --no-install-recommends $missing
} >/dev/null
