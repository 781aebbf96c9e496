#!/usr/bin/env bash
# A local file system on this machine, of the kind that is asked for.
#
#   local.sh up DIR KIND      mounts it at DIR/a
#   local.sh full DIR         fills it by bytes, up to the last block
#   local.sh room DIR         gives that room back
#   local.sh again DIR        unmounts it and mounts it again, if it is an image
#   local.sh ro DIR, rw DIR   remounts it read-only, and back
#   local.sh down DIR         unmounts it and removes DIR
#
# Needs root, loop devices, and the programs that make the file system.  KIND is one of ext4, xfs,
# btrfs, tmpfs, overlay; ramfs and fuse, a pass-through, have no extended attributes; vfat has no hard
# links either.
set -euo pipefail
here=$(dirname "$(realpath "$0")")
dir=$(realpath -m "${2:?up, full, room, again, ro, rw or down, and a folder}")

needs() {
    command -v "$1" >/dev/null || { echo "$1 is not installed" >&2; exit 77; }
}

image() { # MKFS-COMMAND... MOUNT-OPTIONS
    local options=${*: -1}
    truncate -s 1G "$dir/image"
    "${@:1:$#-1}" "$dir/image" >"$dir/log" 2>&1 || { cat "$dir/log" >&2; exit 1; }
    mount -o "loop,$options" "$dir/image" "$dir/a" 2>"$dir/log" || {
        echo "this kernel does not mount it: $(cat "$dir/log")" >&2
        exit 77
    }
}

up() {
    [ "$(id -u)" = 0 ] || { echo "root is needed to mount" >&2; exit 77; }
    mkdir -p "$dir/a"
    case $1 in
    ext4) needs mkfs.ext4 && image mkfs.ext4 -q defaults ;;
    xfs) needs mkfs.xfs && image mkfs.xfs -q defaults ;;
    btrfs) needs mkfs.btrfs && image mkfs.btrfs -q defaults ;;
    vfat) needs mkfs.vfat && image mkfs.vfat defaults ;;
    tmpfs) mount -t tmpfs -o size=1G tmpfs "$dir/a" ;;
    ramfs) mount -t ramfs ramfs "$dir/a" ;;
    fuse)
        /usr/bin/python3 -c "import fusepy" 2>/dev/null && [ -c /dev/fuse ] || {
            echo "python3-fusepy and /dev/fuse are needed" >&2
            exit 77
        }
        mkdir "$dir/lower"
        # As those that know no attributes: EOPNOTSUPP.
        echo '{"getxattr": {"errno": 95}, "setxattr": {"errno": 95}, "listxattr": {"errno": 95},
               "removexattr": {"errno": 95}}' >"$dir/table"
        setsid /usr/bin/python3 "$here/../faults/fusefs.py" "$dir/lower" "$dir/a" "$dir/table" \
            >"$dir/log" 2>&1 </dev/null &
        for _ in $(seq 100); do
            if mountpoint -q "$dir/a"; then return; fi
            sleep 0.1
        done
        cat "$dir/log" >&2
        exit 1
        ;;
    overlay)
        mkdir "$dir"/{lower,upper,work}
        mount -t overlay -o "lowerdir=$dir/lower,upperdir=$dir/upper,workdir=$dir/work" overlay \
            "$dir/a" 2>"$dir/log" || { echo "no overlay here: $(cat "$dir/log")" >&2; exit 77; }
        ;;
    *) echo "$1 is no kind that this script knows" >&2; exit 2 ;;
    esac
}

down() {
    if mountpoint -q "$dir/a"; then umount "$dir/a" || umount -l "$dir/a"; fi
    rm -rf "$dir"
}

again() {
    umount "$dir/a"
    mount -o loop "$dir/image" "$dir/a"
}

full() {
    # What dd cannot write any more is the point.
    dd if=/dev/zero of="$dir/a/filler" bs=1M status=none 2>/dev/null || true
    dd if=/dev/zero of="$dir/a/filler" bs=1k oflag=append conv=notrunc status=none 2>/dev/null || true
    sync -f "$dir/a" || true
}

case $1 in
up) up "${3:?a kind}" ;;
full) full ;;
again) again ;;
room) rm -f "$dir/a/filler" && sync -f "$dir/a" ;;
ro | rw) mount -o "remount,$1" "$dir/a" ;;
down) down ;;
*) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
