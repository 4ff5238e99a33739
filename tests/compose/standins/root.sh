#!/bin/sh
# root.sh DIRECTORY: a Debian root with the very programs that the images of compose.yaml have, at the
# places and with the owners that those give them. Needs root and debootstrap; the network is
# Debian's mirror alone.
set -eu

root=$1
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
suite=forky # has Valkey 9.1 and HAProxy 3.2
script=/usr/share/debootstrap/scripts/sid # of any age: nothing in it is older than the suite
packages=python3.13,python3.13-venv,python3-pip,ca-certificates,openssl,wget
packages=$packages,valkey-server,valkey-tools,haproxy
packages=$packages,prometheus,prometheus-alertmanager,prometheus-node-exporter

debootstrap --variant=minbase --include="$packages" "$suite" "$root" "$mirror" "$script" >"$root.log" 2>&1 ||
    { tail -20 "$root.log" >&2; exit 1; }

ln -sf /usr/bin/python3.13 "$root/usr/local/bin/python3"
ln -s prometheus-alertmanager "$root/usr/bin/alertmanager"
ln -s prometheus-node-exporter "$root/usr/bin/node_exporter"

# Volumes take over their owners from these.
owned() {
    mkdir -p "$root$1"
    chown "$2" "$root$1"
}
owned /data 999:999
owned /var/lib/clickhouse 101:101
owned /prometheus 65534:65534
owned /alertmanager 65534:65534
rm -rf "$root/var/cache/apt/archives" "$root/var/lib/apt/lists"
