#!/usr/bin/env bash
# A GlusterFS volume of one brick on this machine, mounted twice: two nodes of a cluster.
#
#   glusterfs.sh up DIR      makes DIR/a and DIR/b, two mounts of one volume
#   glusterfs.sh down DIR    unmounts them, ends the server, and removes DIR
#
# Needs root, /dev/fuse, and Debian's glusterfs-server.  The management daemon takes no loopback
# address, so server and clients get their volume files from here.  There is no caching translator
# in the clients: what one node writes the other sees at once.
set -euo pipefail
dir=$(realpath -m "${2:?up or down, and a folder}")
port=${GLUSTER_PORT:-24999}

up() {
    command -v glusterfsd >/dev/null || { echo "glusterfsd is not installed" >&2; exit 77; }
    mkdir -p "$dir"/{a,b,brick}
    cat >"$dir/server.vol" <<END
volume posix
  type storage/posix
  option directory $dir/brick
  option volume-id $(cat /proc/sys/kernel/random/uuid)
end-volume
volume locks
  type features/locks
  subvolumes posix
end-volume
volume io-threads
  type performance/io-threads
  subvolumes locks
end-volume
volume brick
  type protocol/server
  option transport-type tcp
  option transport.socket.bind-address 127.0.0.1
  option transport.socket.listen-port $port
  option auth.addr.io-threads.allow 127.0.0.1
  subvolumes io-threads
end-volume
END
    cat >"$dir/client.vol" <<END
volume remote
  type protocol/client
  option transport-type tcp
  option remote-host 127.0.0.1
  option remote-port $port
  option remote-subvolume io-threads
end-volume
END
    local id
    id=$(sed -n 's/.*volume-id //p' "$dir/server.vol")
    setfattr -n trusted.glusterfs.volume-id -v "0x${id//-/}" "$dir/brick"
    glusterfsd -f "$dir/server.vol" -l "$dir/server.log" -p "$dir/server.pid"
    local node
    for node in a b; do
        glusterfs -f "$dir/client.vol" -l "$dir/$node.log" --attribute-timeout=0 \
            --entry-timeout=0 "$dir/$node"
        for _ in $(seq 100); do
            mountpoint -q "$dir/$node" && stat "$dir/$node" >/dev/null 2>&1 && continue 2
            sleep 0.1
        done
        echo "the mount does not come up; see $dir/$node.log" >&2
        exit 1
    done
}

down() {
    local node
    for node in a b; do
        if mountpoint -q "$dir/$node"; then umount "$dir/$node" || umount -l "$dir/$node"; fi
    done
    if [ -s "$dir/server.pid" ]; then kill "$(cat "$dir/server.pid")" 2>/dev/null || true; fi
    rm -rf "$dir"
}

case $1 in up) up ;; down) down ;; *) echo "up or down" >&2; exit 2 ;; esac
