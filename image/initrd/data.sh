#!/bin/sh
# The data partition, in the initrd, after the read-only root is mounted: checked, repaired or set aside, mounted, grown;
# then /etc, /var and the machine's id on top of the root. Whatever fails leads to the next best step and is told in
# RUN/data.json; the box always starts. docs/box.md has the states.
#   DISK=/dev/vda TARGET=/root [RUN=/run/modembank-box] [BOOT=/dev/vda1] sh data.sh
set -u
DISK=${DISK:-}
TARGET=${TARGET:-/root}
RUN=${RUN:-/run/modembank-box}
BOOT=${BOOT:-}
LOG=$RUN/data.log
MIB=1048576
ASIDE_LEAST=$((1024 * MIB)) # what a new file system beside a damaged one has at least
LEAST=$((64 * MIB))         # what a data partition has at least
SPARE=$((4 * MIB))          # free space behind the partition that is not worth a new table
CHECK_S=1800                # no check may take longer

state=clean
detail=
reset=
grown=false
problems=
kind=
node=
aside=

say() {
    echo "modembank: $*" >&2
    echo "$*" >>"$LOG"
}

plain() { # one line of text that is safe in JSON
    tr '\n\t' '  ' | tr -cd 'A-Za-z0-9 .,:;?/()_+-' | tr -s ' ' | sed 's/ *$//' | cut -c 1-300
}

problem() {
    say "$*"
    problems="${problems:+$problems, }\"$(echo "$*" | plain)\""
}

logged() { # a command, with what it says
    echo "+ $*" >>"$LOG"
    "$@" >>"$LOG" 2>&1 </dev/null
}

table() { # the partition table, a line for each partition
    sfdisk -d "$DISK" 2>>"$LOG"
}

write_table() { # standard input: what sfdisk is to do with the disk
    sfdisk -q --no-reread --no-tell-kernel --wipe never --wipe-partitions never "$@" "$DISK" >>"$LOG" 2>&1
}

number() { # of a partition's node
    _number=${1#"$DISK"}
    echo "${_number#p}"
}

field() { # of a partition's line in the table: field NODE start|size|type
    table | sed -n "s|^$1 : .*$2= *\([0-9A-Fa-f-]*\).*|\1|p"
}

bytes() { # of a device
    _bytes=$(blockdev --getsize64 "$1" 2>>"$LOG")
    case $_bytes in
        '' | *[!0-9]*) echo 0 ;;
        *) echo "$_bytes" ;;
    esac
}

look() { # which partition is which: on GPT by name, else the last logical one, and a set aside one before it
    node=
    aside=
    kind=$(table | sed -n 's/^label: //p')
    # The table that stands in front of a GPT for old programs is seen where the GPT itself cannot be read.
    table | grep -q 'type=ee' && kind=
    case $kind in
        gpt)
            node=$(table | sed -n 's|^\(/[^ ]*\) : .*name="data".*|\1|p' | tail -n 1)
            aside=$(table | sed -n 's|^\(/[^ ]*\) : .*name="set-aside".*|\1|p' | tail -n 1)
            ;;
        dos)
            for _each in $(table | sed -n 's|^\(/[^ ]*\) : .*type=83.*|\1|p'); do
                if [ "$(number "$_each")" -ge 5 ]; then
                    aside=$node
                    node=$_each
                fi
            done
            ;;
    esac
}

tell_kernel() { # of the partition NODE, new or of another size
    logged partx -u -n "$(number "$1"):" "$DISK" || logged partx -a -n "$(number "$1"):" "$DISK"
    [ -b "$1" ]
}

disk_end() { # the first sector behind what a partition may take
    _sector=$(blockdev --getss "$DISK")
    _end=$(($(bytes "$DISK") / _sector))
    # The copy of a GPT; and 32 bits in the other kind of table.
    [ "$kind" = gpt ] && _end=$((_end - 34))
    [ "$kind" = dos ] && [ "$_end" -gt 4294967295 ] && _end=4294967295
    echo "$_end"
}

create_partition() { # where there is none: all that is free at the end
    _last=0
    for _each in $(table | grep -v 'type=\(5\|f\|85\)$' | sed -n 's|^/.*start= *\([0-9]*\), size= *\([0-9]*\),.*|\1+\2|p'); do
        _each=$((${_each%+*} + ${_each#*+}))
        [ "$_each" -gt "$_last" ] && _last=$_each
    done
    [ $((($(disk_end) - _last) * $(blockdev --getss "$DISK"))) -ge "$LEAST" ] || return 1
    case $kind in
        gpt)
            write_table --relocate gpt-bak-std </dev/null
            echo 'size=+, type=linux, name="data"' | write_table --append
            ;;
        dos)
            table | grep -q 'type=\(5\|f\|85\)' || echo 'size=+, type=5' | write_table --append
            echo 'size=+, type=83' | write_table --append
            ;;
        *) return 1 ;;
    esac && look && [ -n "$node" ] && tell_kernel "$node"
}

grow_extended() { # to the end of the disk, what is around the data partition in a table of the old kind
    _around=$(table | sed -n 's,^\(/[^ ]*\) : .*type=\(5\|f\|85\)$,\1,p')
    echo ', +' | write_table -N "$(number "$_around")"
}

grow_partition() { # to the end of the disk
    _sector=$(blockdev --getss "$DISK")
    _start=$(field "$node" start)
    _size=$(field "$node" size)
    [ -n "$_start" ] && [ -n "$_size" ] || return 1
    [ $((($(disk_end) - _start - _size) * _sector)) -ge "$SPARE" ] || return 0
    say "growing the data partition to the end of $DISK"
    if [ "$kind" = gpt ]; then
        write_table --relocate gpt-bak-std </dev/null
    else
        grow_extended
    fi
    echo ', +' | write_table -N "$(number "$node")" && tell_kernel "$node" && grown=true
}

make_filesystem() { # on the data partition
    logged mke2fs -F -q -t ext4 -b 4096 -I 256 -i 16384 -m 1 -J size=16 -e remount-ro -L modembank-data "$node"
}

check() { # 0: in order, or what -p puts right without asking, such as the journal; else repaired, or not to be
    timeout "$CHECK_S" e2fsck -p "$node" >"$RUN/check" 2>&1 </dev/null
    _said=$?
    cat "$RUN/check" >>"$LOG"
    [ "$_said" -le 3 ] && return 0
    [ "$_said" -eq 126 ] || [ "$_said" -eq 127 ] && return "$_said" # did not run: nobody knows how the file system is
    detail=$(grep . "$RUN/check" | head -n 2 | plain)
    say "the data partition is damaged; repairing it"
    # Twice: a copy of the superblock from when the file system grew says that the journal is to be played. It is, but the
    # copy still says so, and e2fsck gives up; by then the superblock itself is there again.
    for _time in first second; do
        logged timeout "$CHECK_S" e2fsck -f -y "$node"
        _said=$?
        [ "$_said" -le 3 ] && break
    done
    [ "$_said" -le 3 ] || return "$_said"
    state=repaired
}

mount_data() {
    logged mount -t ext4 -o rw,noatime,nosuid,nodev,noexec "$node" "$TARGET/data" || return 1
    if logged touch "$TARGET/data/.writable"; then
        rm -f "$TARGET/data/.writable"
        return 0
    fi
    logged umount "$TARGET/data"
    return 1
}

set_aside() { # the first half stays as it is in a partition of its own; the second is the data partition from now on
    [ -z "$aside" ] || return 1
    _sector=$(blockdev --getss "$DISK")
    _align=$((MIB / _sector))
    _start=$(field "$node" start)
    [ -n "$_start" ] || return 1
    _end=$(($(disk_end) / _align * _align))
    _half=$(((_end - _start) / 2 / _align * _align))
    _new=$((_start + _half + _align))
    [ $(((_end - _new) * _sector)) -ge "$ASIDE_LEAST" ] || return 1
    say "setting the damaged half of $node aside"
    _name=
    if [ "$kind" = gpt ]; then
        write_table --relocate gpt-bak-std </dev/null
        _name=', name="data"'
    else
        grow_extended
    fi
    _type=$(field "$node" type)
    # One write, so that no power cut comes between the halves.
    {
        table | sed -e "s|^\($node : .*size= *\)[0-9]*|\1$_half|" -e "\|^$node :|s|name=\"data\"|name=\"set-aside\"|"
        echo "start=$_new, size=$((_end - _new)), type=$_type$_name"
    } >"$RUN/table"
    write_table <"$RUN/table" || return 1
    _old=$node
    look
    [ "$aside" = "$_old" ] && tell_kernel "$aside" && tell_kernel "$node"
}

wipe() { # a partition, so that nothing of it can be read any more
    say "wiping $1"
    if logged blkdiscard -f -s "$1" || logged blkdiscard -f "$1"; then
        # Some disks take it for advice only.
        [ "$(dd if="$1" bs=$MIB count=16 2>>"$LOG" | tr -d '\000' | wc -c)" -eq 0 ] && return 0
    fi
    say "$1 cannot be discarded: overwriting all of it, which takes minutes for each 10 GB"
    # It ends with an error when there is no more room, as it should.
    dd if=/dev/zero of="$1" bs=$((4 * MIB)) >>"$LOG" 2>&1
    sync
    [ "$(dd if="$1" bs=$MIB count=16 2>>"$LOG" | tr -d '\000' | wc -c)" -eq 0 ]
}

remove_from_boot() { # files of the boot partition
    logged mount -o remount,rw "$TARGET/boot/box" || return 1
    _left=0
    for _each in "$@"; do
        rm -f "$TARGET/boot/box/$_each" 2>>"$LOG" || _left=1
    done
    sync
    logged mount -o remount,ro "$TARGET/boot/box"
    return $_left
}

reset_file() { # the name of the file that asks for a factory reset; editors like to add .txt
    for _each in factory-reset factory-reset.txt; do
        [ -f "$TARGET/boot/box/$_each" ] && echo "$_each" && return
    done
}

factory_reset() { # everything below is done again at the next start when the power is cut: the file goes last
    _file=$(reset_file)
    [ -n "$_file" ] || return 0
    _asked=$(cksum <"$TARGET/boot/box/$_file" | plain)-$(stat -c %Y "$TARGET/boot/box/$_file" | plain)
    # A file that could not be removed must not empty the box at every start.
    if logged mount -t ext4 -o ro,noload "$node" "$TARGET/data"; then
        _done=$(cat "$TARGET/data/reset-done" 2>/dev/null)
        logged umount "$TARGET/data"
        if [ "$_done" = "$_asked" ]; then
            problem "$_file was carried out and could not be removed from the boot partition: remove it"
            return 0
        fi
    fi
    reset=data
    grep -qi everything "$TARGET/boot/box/$_file" && reset=everything
    say "factory reset ($reset)"
    wipe "$node" || problem "the disk cannot be overwritten: what was on it may still be read"
    if [ -n "$aside" ]; then
        wipe "$aside" || problem "the disk cannot be overwritten: what was on it may still be read"
        forget_aside
    fi
    make_filesystem || return 1
    if [ "$reset" = everything ]; then
        remove_from_boot box.toml box.toml.txt || problem "box.toml could not be removed from the boot partition"
    fi
    remove_from_boot "$_file" && [ -z "$(reset_file)" ] && return 0
    problem "$_file could not be removed from the boot partition: remove it"
    if logged mount -t ext4 "$node" "$TARGET/data"; then
        echo "$_asked" >"$TARGET/data/reset-done"
        logged umount "$TARGET/data"
    fi
}

forget_aside() { # one data partition again, which grow_partition makes as large as it was
    _gone=$(number "$node")
    logged partx -d -n "$_gone:" "$DISK"
    table | sed -e "\|^$node :|d" -e "\|^$aside :|s|name=\"set-aside\"|name=\"data\"|" >"$RUN/table"
    write_table <"$RUN/table"
    look
}

open_data() {
    [ -b "$DISK" ] || { detail="there is no disk $DISK"; return 1; }
    look
    case $kind in
        gpt | dos) ;;
        *) detail="the partition table of $DISK cannot be read"; return 1 ;;
    esac
    grep -q '[[:space:]]ext4$' /proc/filesystems || { detail='the kernel knows no ext4'; return 1; }
    if [ -z "$node" ]; then
        detail='there is no data partition, and no room for one'
        create_partition && make_filesystem || return 1
        detail='there was no data partition'
        state=made_new
    fi
    [ -b "$node" ] || tell_kernel "$node" || { detail="there is no $node"; return 1; }
    factory_reset || say 'the factory reset could not be completed; it is tried again at the next start'
    check
    _check=$?
    if [ "$_check" -eq 126 ] || [ "$_check" -eq 127 ]; then
        detail='the data partition could neither be checked nor mounted'
        mount_data || return 1
        problem 'the data partition could not be checked'
        return 0
    fi
    [ "$_check" -eq 0 ] && mount_data && return 0
    detail=${detail:-'it cannot be mounted and written'}
    if set_aside && make_filesystem && mount_data; then
        state=set_aside
        return 0
    fi
    say 'making a new file system in place of the damaged one'
    state=made_new
    make_filesystem && mount_data && return 0
    detail='a file system can neither be repaired nor made; is the disk worn out or write-protected?'
    return 1
}

grow_data() {
    grow_partition || problem 'the data partition could not be grown'
    # While it is mounted, which a power cut does not harm; else the other way.
    logged resize2fs "$node" && return
    logged umount "$TARGET/data" || return
    logged timeout "$CHECK_S" e2fsck -f -p "$node"
    logged resize2fs "$node" || problem 'the file system of the data partition could not be grown'
    mount_data || opened=false
}

mount_boot() {
    [ -n "$BOOT" ] || case $DISK in *[0-9]) BOOT=${DISK}p1 ;; *) BOOT=${DISK}1 ;; esac
    # Passphrases may stand there: nobody but root looks in.
    logged mount -t vfat -o ro,nosuid,nodev,noexec,umask=0077 "$BOOT" "$TARGET/boot/box" ||
        problem "the boot partition $BOOT cannot be mounted"
}

overlay() { # a folder of the root becomes writable until the power goes: overlay etc 16m
    mkdir -p "$RUN/$1"
    logged mount -t tmpfs -o "nosuid,nodev,mode=0755,size=$2" tmpfs "$RUN/$1"
    mkdir -p "$RUN/$1/upper" "$RUN/$1/work"
    logged mount -t overlay -o "lowerdir=$TARGET/$1,upperdir=$RUN/$1/upper,workdir=$RUN/$1/work" overlay "$TARGET/$1" ||
        problem "/$1 cannot be written"
}

keep() { # a folder of /var that outlives the power: keep FOLDER MODE PLACE
    if [ ! -d "$TARGET/data/$1" ]; then
        mkdir -m "$2" "$TARGET/data/$1" 2>>"$LOG"
    fi
    mkdir -p "$TARGET/$3" 2>>"$LOG"
    logged mount -o bind "$TARGET/data/$1" "$TARGET/$3" || problem "/$3 is not kept"
}

machine_id() {
    _id=$(head -n 1 "$TARGET/data/machine-id" 2>/dev/null)
    case $_id in
        *[!0-9a-f]*) _id= ;;
    esac
    if [ ${#_id} -ne 32 ]; then
        _id=$(tr -d - </proc/sys/kernel/random/uuid)
        echo "$_id" >"$TARGET/data/machine-id.new" && mv "$TARGET/data/machine-id.new" "$TARGET/data/machine-id" && sync
    fi
    echo "$_id" 2>>"$LOG" >"$TARGET/etc/machine-id" || problem '/etc/machine-id cannot be written'
}

remember() { # the latest trouble, for later starts to tell of
    [ "$state" = clean ] && return 0
    printf '{"state": "%s", "detail": "%s", "at": "%s"}\n' "$state" "$(echo "$detail" | plain)" \
        "$(date -u +%Y-%m-%dT%H:%M:%SZ)" >"$TARGET/data/last-trouble.new" &&
        mv "$TARGET/data/last-trouble.new" "$TARGET/data/last-trouble" && sync
}

write_state() {
    _trouble=$(head -n 1 "$TARGET/data/last-trouble" 2>/dev/null)
    case $_trouble in '{'*'}') ;; *) _trouble=null ;; esac
    [ "$state" = in_memory ] && _size=0 || _size=$(bytes "$node")
    {
        printf '{"state": "%s", "detail": "%s", "reset": "%s", "grown": %s,\n' \
            "$state" "$(echo "$detail" | plain)" "$reset" "$grown"
        printf ' "device": "%s", "size_bytes": %s, "aside": "%s",\n' "$node" "$_size" "$aside"
        printf ' "problems": [%s], "last_trouble": %s}\n' "$problems" "$_trouble"
    } >"$RUN/data.json.new" && mv "$RUN/data.json.new" "$RUN/data.json"
}

count_lost() {
    _lost=$(find "$TARGET/data/lost+found" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l)
    [ "$state" = repaired ] && [ "$_lost" -gt 0 ] && detail="$detail; $_lost in lost+found"
}

finish() { # also when a step above ended the shell
    if [ "$opened" = true ]; then
        count_lost
    else
        say "nothing is kept over the next power cut: $detail"
        state=in_memory
        logged mount -t tmpfs -o nosuid,nodev,noexec,mode=0755,size=50% tmpfs "$TARGET/data" ||
            problem '/data cannot be mounted'
    fi
    overlay etc 16m
    overlay var 20%
    keep modembank 0700 var/lib/modembank
    keep backups 0700 var/backups/modembank
    keep journal 0755 var/log/journal
    keep systemd 0755 var/lib/systemd
    keep rauc 0755 var/lib/rauc
    machine_id
    remember
    write_state
    exit 0
}

opened=false
mkdir -p "$RUN"
echo >"$LOG"
chmod 600 "$LOG"
trap finish EXIT
mount_boot
open_data && opened=true && grow_data
