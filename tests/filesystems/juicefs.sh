#!/usr/bin/env bash
# A JuiceFS volume on this machine, mounted twice: two nodes of a cluster.
#
#   juicefs.sh up DIR      makes DIR/a and DIR/b, two mounts of one volume
#   juicefs.sh down DIR    unmounts them and removes DIR
#
# Needs root, /dev/fuse, and juicefs in PATH (https://juicefs.com).  Metadata in SQLite, data in a
# folder.  The caches of attributes and entries are off: with them another node's changes are seen
# late by as much as they are kept.
set -euo pipefail
dir=$(realpath -m "${2:?up or down, and a folder}")
meta=sqlite3://$dir/meta.db

up() {
    command -v juicefs >/dev/null || { echo "juicefs is not installed" >&2; exit 77; }
    mkdir -p "$dir"/{a,b,data,cache-a,cache-b}
    juicefs format "$meta" test --storage file --bucket "$dir/data/" --trash-days 0 --no-update \
        >"$dir/log" 2>&1 || { cat "$dir/log" >&2; exit 1; }
    for node in a b; do
        juicefs mount -d --no-usage-report --enable-xattr --attr-cache 0 --entry-cache 0 \
            --dir-entry-cache 0 --cache-dir "$dir/cache-$node" --log "$dir/log-$node" \
            "$meta" "$dir/$node" >>"$dir/log" 2>&1 || { cat "$dir/log" >&2; exit 1; }
    done
}

down() {
    for node in a b; do
        if mountpoint -q "$dir/$node"; then umount "$dir/$node" || umount -l "$dir/$node"; fi
    done
    rm -rf "$dir"
}

case $1 in up) up ;; down) down ;; *) echo "up or down" >&2; exit 2 ;; esac
