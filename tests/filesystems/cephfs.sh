#!/usr/bin/env bash
# A CephFS of one node on this machine, mounted twice with ceph-fuse: two nodes of a cluster.
#
#   cephfs.sh up DIR      makes DIR/a and DIR/b, two mounts of one file system
#   cephfs.sh down DIR    unmounts them, ends the daemons, and removes DIR
#
# Needs root, /dev/fuse, and Debian's ceph-mon, ceph-mgr, ceph-osd, ceph-mds and ceph-fuse.  Data is
# kept in memory; nobody is authenticated; everything listens on 127.0.0.1.
set -euo pipefail
dir=$(realpath -m "${2:?up or down, and a folder}")
export CEPH_CONF=$dir/ceph.conf
port=${CEPH_PORT:-26789}

start() {
    # In the background for good: what starts them may be gone before they are.
    setsid "$@" </dev/null >>"$dir/log" 2>&1 &
    echo $! >>"$dir/pids"
}

wait_for() {
    local what=$1; shift
    for _ in $(seq 300); do "$@" >/dev/null 2>&1 && return; sleep 0.2; done
    echo "$what does not come up; see $dir/log" >&2
    tail -n 20 "$dir/log" >&2
    exit 1
}

quietly() { "$@" >>"$dir/log" 2>&1; }

up() {
    local program
    for program in ceph-mon ceph-mgr ceph-osd ceph-mds ceph-fuse monmaptool ceph; do
        command -v $program >/dev/null || { echo "$program is not installed" >&2; exit 77; }
    done
    mkdir -p "$dir"/{a,b,mon,osd,mgr,mds,run}
    local fsid
    fsid=$(cat /proc/sys/kernel/random/uuid)
    cat >"$CEPH_CONF" <<END
[global]
fsid = $fsid
mon host = [v2:127.0.0.1:$port]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
auth allow insecure global id reclaim = false
run dir = $dir/run
admin socket = $dir/run/\$cluster-\$name.\$pid.asok
log file = $dir/\$name.log
crash dir = $dir/crash
keyring = /dev/null
osd pool default size = 1
osd pool default min size = 1
mon allow pool size one = true
osd crush chooseleaf type = 0
mon data = $dir/mon
mgr data = $dir/mgr
osd data = $dir/osd
mds data = $dir/mds
osd objectstore = memstore
memstore device bytes = 4G
osd pool default pg num = 8
osd pool default pg autoscale mode = off
mgr initial modules =
mon data avail crit = 1
mon data avail warn = 1
END
    quietly monmaptool --create --fsid "$fsid" --addv n "[v2:127.0.0.1:$port]" "$dir/monmap"
    quietly ceph-mon --mkfs -i n --monmap "$dir/monmap"
    start ceph-mon -f -i n
    wait_for "the monitor" ceph -s
    start ceph-mgr -f -i n
    local osd
    osd=$(ceph osd create 2>>"$dir/log")
    quietly ceph-osd --mkfs -i "$osd" --osd-uuid "$(cat /proc/sys/kernel/random/uuid)"
    start ceph-osd -f -i "$osd"
    quietly ceph osd crush add "osd.$osd" 1 root=default
    wait_for "the object store" sh -c "ceph osd stat | grep -q '1 up'"
    quietly ceph osd pool create meta 8
    quietly ceph osd pool create data 8
    quietly ceph fs new fs meta data
    start ceph-mds -f -i n
    wait_for "the metadata server" sh -c "ceph mds stat | grep -q up:active"
    local node
    for node in a b; do
        quietly ceph-fuse --id admin "$dir/$node"
        wait_for "the mount" mountpoint -q "$dir/$node"
    done
}

down() {
    local node pid
    for node in a b; do
        if mountpoint -q "$dir/$node"; then umount "$dir/$node" || umount -l "$dir/$node"; fi
    done
    if [ -f "$dir/pids" ]; then
        while read -r pid; do kill -9 "$pid" 2>/dev/null || true; done <"$dir/pids"
    fi
    rm -rf "$dir"
}

case $1 in up) up ;; down) down ;; *) echo "up or down" >&2; exit 2 ;; esac
