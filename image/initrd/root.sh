# The root of the box, in the initrd: initramfs-tools(7) reads this file, which conf.d names as BOOT, and calls its functions.
# The slot that was started holds root.squashfs, which becomes the root; then comes the data partition (data.sh).
# Whatever fails restarts the box (panic= on the kernel's command line), and the boot loader takes the other slot.

mount_top() { :; }
mount_premount() { :; }
mount_bottom() { :; }

slot_number() { # the partition of the slot: GRUB says so, and a Raspberry Pi's firmware
    case " $(cat /proc/cmdline) " in
        *' modembank.slot=a '*) echo 2 ;;
        *' modembank.slot=b '*) echo 3 ;;
        *) tail -c 1 /proc/device-tree/chosen/bootloader/partition 2>/dev/null | hexdump -e '1/1 "%d\n"' ;;
    esac
}

slot_node() { # the device of partition $1 of the disk that this image was written to, or nothing
    for _link in "/dev/disk/by-partuuid/6d6f6465-6d62-4e6b-8000-00000000000$1" "/dev/disk/by-partuuid/6d6f6465-0$1"; do
        [ -b "$_link" ] && readlink -f "$_link" && return
    done
}

wait_for_slot() { # a disk on the USB takes its time
    number=$(slot_number)
    [ -n "$number" ] || panic 'modembank: nobody says which slot this is (modembank.slot=a or b)'
    for _ in $(seq 300); do
        node=$(slot_node "$number")
        [ -n "$node" ] && return
        sleep 0.1
    done
    panic "modembank: no disk has partition $number of the box"
}

mountroot() {
    wait_for_slot
    system=/run/modembank-box/system
    mkdir -p "$system"
    modprobe -q -a loop ext4
    mount -t vfat -o ro,nosuid,nodev,noexec,umask=022 "$node" "$system" || panic "modembank: $node cannot be mounted"
    mount -t squashfs -o ro,loop "$system/root.squashfs" "$rootmnt" || panic "modembank: no root.squashfs on $node"
    name=${node##*/}
    disk=$(readlink -f "/sys/class/block/$name/..")
    # initramfs-tools' own BOOT is not the boot partition that data.sh means.
    BOOT='' DISK=/dev/${disk##*/} TARGET=$rootmnt RUN=/run/modembank-box sh /scripts/modembank-data
}
