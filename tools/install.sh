#!/bin/sh
# Copies what Debian's systemd and udev need to run Modembank as a service; docs/service.md says what comes then.
#   [DESTDIR=/the/image] [PREFIX=/usr/local] sh tools/install.sh [--usb-guard] [--box]
# With --box also the units and rules of an appliance's root side, which only an image has a use for.
set -eu
cd "$(dirname "$0")/.."

guard=
box=
for option in "$@"; do
    case "$option" in
        --usb-guard) guard=udev/92-modembank-usb-guard.rules ;;
        --box) box=yes ;;
        *)
            echo 'usage: [DESTDIR=...] [PREFIX=/usr/local] sh tools/install.sh [--usb-guard] [--box]' >&2
            exit 2
            ;;
    esac
done

lib=${DESTDIR:-}${PREFIX:-/usr/local}/lib
put() {
    folder=$1
    shift
    install -d "$lib/$folder"
    install -m 644 "$@" "$lib/$folder"
}
put systemd/system systemd/*.service systemd/*.socket systemd/*.timer
if [ -n "$box" ]; then
    put systemd/system systemd/box/*
else
    put systemd/system/modembankd.service.d systemd/modembankd.service.d/*.conf
fi
put systemd/journald.conf.d systemd/journald.conf.d/*.conf
put sysusers.d systemd/sysusers.d/*.conf
put tmpfiles.d systemd/tmpfiles.d/*.conf
# shellcheck disable=SC2086  # nothing, or one file
put udev/rules.d udev/90-*.rules udev/91-*.rules $guard
[ -z "$box" ] || put udev/rules.d udev/93-*.rules
