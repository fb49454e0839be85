#!/bin/sh
# Lets a root of another architecture unpack its packages with programs of this machine, which are ten times as fast as
# emulated ones: a hook of mmdebstrap. Their libraries lie beside the root's own, in the folder of this architecture.
#   sh native-helpers.sh ROOT [remove]
set -eu
root=$1
if [ "${2:-}" = remove ]; then
    rm -rf "${root:?}/native" "${root:?}/lib64" "${root:?}/usr/lib64" "${root:?}"/usr/lib/x86_64-linux-gnu
    exit
fi
mkdir -p "$root/native" "$root/usr/lib64"
# Debian's base-files takes no other kind of /lib64.
ln -s usr/lib64 "$root/lib64"
for name in dpkg-deb dpkg-split tar gzip xz zstd sha256sum md5sum; do
    program=$(command -v "$name")
    cp -L "$program" "$root/native/$name"
    ldd "$program" | sed -n 's/.*\(=> \|^\t\)\(\/[^ ]*\) (.*/\2/p' | while read -r library; do
        case $library in
            /lib64/*) cp -L "$library" "$root/lib64/" ;;
            *) mkdir -p "$root/usr/lib/x86_64-linux-gnu" && cp -L "$library" "$root/usr/lib/x86_64-linux-gnu/" ;;
        esac
    done
done
