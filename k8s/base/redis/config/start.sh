#!/bin/sh
# Starts one server of the cluster in a pod.
#
# Servers know each other by address, in nodes.conf, and a pod has another address whenever it comes
# back. If all come back at once, nobody knows where anybody is. Names stay: so each peer's address
# is looked up by its name before the server reads the file. It is enough that of any two servers
# one finds the other, hence the one started last finds all; gossip brings the rest.
#
# Environment: POD_NAME, POD_IP, PEERS_DOMAIN (names are POD_NAME.PEERS_DOMAIN),
# LOOKUP_TIMEOUT_S (how long to wait for peers' names).
set -eu

data=/data
config=/etc/redis/redis.conf
nodes=$data/nodes.conf
marker=$data/appendonlydir/initialised.conf
hostname=$POD_NAME.$PEERS_DOMAIN

# A volume without anything is a new server's: it has a new name in the cluster and nothing to lose.
# One that has its name in the cluster and lost its data must not start (see redis.conf).
if [ ! -e "$nodes" ] && [ ! -e "$data/appendonlydir" ]; then
    mkdir "$data/appendonlydir"
    printf '# Without this file the server does not start: its data is gone.\n' >"$marker"
fi
if [ ! -e "$marker" ]; then
    echo "start.sh: $data has a cluster name but no data: not starting." >&2
    echo "start.sh: a replica takes over; then empty the volume and this pod joins anew." >&2
    exit 1
fi

# Lines of nodes.conf: id address:port@busport,hostname[,more] flags ...
peers() {
    awk -v own="$hostname" '/@/ { split($2, part, ","); if (part[2] != "" && part[2] != own) print part[2] }' "$nodes" | sort -u
}

address_of() {
    getent ahosts "$1" | awk 'NR == 1 { print $1 }'
}

# Writes "name address" of the peers that are found; waits for those that are not, up to the limit.
find_peers() {
    deadline=$(($(date +%s) + ${LOOKUP_TIMEOUT_S:-30}))
    for name in $(peers); do
        address=$(address_of "$name")
        while [ -z "$address" ] && [ "$(date +%s)" -lt "$deadline" ]; do
            sleep 1
            address=$(address_of "$name")
        done
        if [ -n "$address" ]; then
            echo "$name $address"
        else
            echo "start.sh: $name has no address yet" >&2
        fi
    done
}

if [ -s "$nodes" ]; then
    find_peers >"$data/peers.tmp"
    awk '
        FILENAME == ARGV[1] { address[$1] = $2; next }
        /@/ {
            split($2, part, ",")
            if (part[2] in address) {
                port = $2
                sub(/^.*:/, "", port)
                $2 = address[part[2]] ":" port
            }
        }
        { print }
    ' "$data/peers.tmp" "$nodes" >"$nodes.new"
    sync "$nodes.new"
    mv "$nodes.new" "$nodes"
    rm "$data/peers.tmp"
fi

exec valkey-server "$config" \
    --bind "$POD_IP" \
    --cluster-announce-hostname "$hostname" \
    --cluster-announce-ip "$POD_IP"
