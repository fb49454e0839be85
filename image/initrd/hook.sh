#!/bin/sh
# What goes into the initrd beside initramfs-tools' own: drivers of disks, and the programs that data.sh calls.
set -e
[ "${1:-}" != prereqs ] || exit 0
. /usr/share/initramfs-tools/hook-functions

auto_add_modules base ata block mmc usb_storage
manual_add_modules virtio_scsi vfat nls_ascii nls_cp437 nls_iso8859-1 nls_utf8 loop squashfs overlay
for program in blkdiscard blockdev cksum e2fsck mke2fs partx resize2fs sfdisk; do
    found=$(command -v "$program")
    # Busybox came first, with programs of the same names that do less (its mke2fs knows no ext4), and is not overwritten.
    rm -f "$DESTDIR$found" "$DESTDIR/usr/sbin/$program" "$DESTDIR/usr/bin/$program"
    copy_exec "$found"
done
copy_file config /etc/mke2fs.conf
copy_file config /etc/initramfs-tools/modembank-release /release.toml
copy_file script /etc/initramfs-tools/modembank-data /scripts/modembank-data
