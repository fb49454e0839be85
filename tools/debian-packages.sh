#!/bin/sh
# Installs the Debian packages named as arguments that are not installed yet; says what to do where it may not.
# None of them becomes a service of this machine: what they bring is started by tests alone.
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

# While it is there, packages start nothing (invoke-rc.d(8)); one that somebody else put there decides for itself.
policy=/usr/sbin/policy-rc.d
if ! [ -e "$policy" ]; then
    trap '$as_root rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
    $as_root chmod 755 "$policy"
fi
# shellcheck disable=SC2086  # the list of packages is meant to split
{
    $as_root apt-get update -qq
    $as_root apt-get install -y -qq --no-install-recommends $missing
} >/dev/null

# Nor at the next boot.
if command -v systemctl >/dev/null 2>&1; then
    for package in $missing; do
        for unit in $(dpkg -L "$package" | grep -E '^(/usr)?/lib/systemd/system/[^@/]+\.service$' || true); do
            $as_root systemctl --quiet disable "${unit##*/}" >/dev/null 2>&1 || true
        done
    done
fi
if command -v update-rc.d >/dev/null 2>&1; then
    for package in $missing; do
        for script in $(dpkg -L "$package" | grep -E '^/etc/init\.d/[^/]+$' || true); do
            $as_root update-rc.d "${script##*/}" disable >/dev/null 2>&1 || true
        done
    done
fi
