# The root of the box, in the initrd: initramfs-tools(7) reads this file, which conf.d names as BOOT, and calls its functions.
# The slot that was started holds root.squashfs, which becomes the root; then comes the data partition (data.sh).
# Whatever fails restarts the box (panic= on the kernel's command line), and the boot loader takes the other slot.

mount_top() { :; }
mount_premount() { :; }
mount_bottom() { :; }

slot_number() { # the partition of the slot: GRUB says so, and the firmware of a Raspberry Pi
    case " $(cat /proc/cmdline) " in
        *' modembank.slot=a '*) echo 2 ;;
        *' modembank.slot=b '*) echo 3 ;;
        *) tail -c 1 /proc/device-tree/chosen/bootloader/partition 2>/dev/null | hexdump -e '1/1 "%d"' ;;
    esac
}

partition() { # the device of partition $1 of the disk that this image was written to, or nothing
    for _link in "/dev/disk/by-partuuid/6d6f6465-6d62-4e6b-8000-00000000000$1" "/dev/disk/by-partuuid/6d6f6465-0$1"; do
        [ -b "$_link" ] && readlink -f "$_link" && return
    done
}

mount_slot() { # partition $1; where nobody says which it is, only if it is of the build that this initrd is of
    node=$(partition "$1")
    [ -n "$node" ] && mount -t vfat -o ro,nosuid,nodev,noexec,umask=022 "$node" "$system" 2>/dev/null || return 1
    { [ -n "$number" ] || cmp -s /release.toml "$system/release.toml"; } && return
    umount "$system"
    return 1
}

wait_for_slot() { # a disk on the USB takes its time
    number=$(slot_number)
    for _ in $(seq 300); do
        # Of two that are of one build either will do.
        for _number in ${number:-2 3}; do
            mount_slot "$_number" && return
        done
        sleep 0.1
    done
    panic "modembank: no disk has the slot that was started (${number:-2 or 3})"
}

mountroot() {
    modprobe -q -a loop ext4
    system=/run/modembank-box/system
    mkdir -p "$system"
    wait_for_slot
    mount -t squashfs -o ro,loop "$system/root.squashfs" "$rootmnt" || panic "modembank: no root.squashfs on $node"
    name=${node##*/}
    disk=$(readlink -f "/sys/class/block/$name/..")
    # initramfs-tools' own BOOT is not the boot partition that data.sh means.
    BOOT='' DISK=/dev/${disk##*/} TARGET=$rootmnt RUN=/run/modembank-box sh /scripts/modembank-data
}
