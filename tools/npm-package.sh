#!/bin/sh
# Unpacks the npm package $1 in version $2 into the folder $4, once, when its archive has the SHA-512 $3 (hexadecimal).
# It is asked of whatever registry npm is configured for; nothing of it is run.
set -eu
name=$1 version=$2 digest=$3 folder=$4

mark=$folder/.sha512
if [ -f "$mark" ] && [ "$(cat "$mark")" = "$digest" ]; then exit 0; fi
command -v npm >/dev/null 2>&1 || sh "$(dirname "$0")/debian-packages.sh" npm

there=$(mktemp -d)
trap 'rm -rf "$there"' EXIT
printf 'fetching %s %s\n' "$name" "$version" >&2
npm pack --silent --ignore-scripts --pack-destination "$there" "$name@$version" >/dev/null
set -- "$there"/*.tgz
if ! printf '%s  %s\n' "$digest" "$1" | sha512sum --check --status; then
    printf '%s %s is not what it was: its SHA-512 is %s\n' "$name" "$version" "$(sha512sum "$1" | cut -d' ' -f1)" >&2
    exit 1
fi
rm -rf "$folder"
mkdir -p "$folder"
tar -xzf "$1" -C "$folder" --strip-components=1
printf '%s' "$digest" >"$mark"
