#!/bin/sh
# Copies a snapshot of every shard to a new directory below BACKUPS, and keeps the newest KEEP.
#
# Environment: SHARDS (names of the StatefulSets), PEERS_DOMAIN, KEEP, REDISCLI_AUTH (the password of
# the user `operator`), and for tests CLI_OPTIONS, BACKUPS.
set -eu

backups=${BACKUPS:-/backups}
options=${CLI_OPTIONS:---tls --cacert /etc/redis/tls/ca.crt --cert /etc/redis/tls/tls.crt --key /etc/redis/tls/tls.key}
name=$(date -u +%Y%m%dT%H%M%SZ)
partial=$backups/.partial-$name

ask() {
    host=$1
    shift
    # shellcheck disable=SC2086  # several options
    valkey-cli -h "$host.$PEERS_DOMAIN" --user operator --no-auth-warning $options "$@"
}

# A replica in step, so that no primary has to fork; else whoever answers.
source_of() {
    found=
    for number in 2 1 0; do
        state=$(ask "$1-$number" INFO replication 2>/dev/null) || continue
        found=${found:-$1-$number}
        case "$state" in
            *master_link_status:up*)
                echo "$1-$number"
                return
                ;;
        esac
    done
    echo "$found"
}

rm -rf "$backups"/.partial-* # what a run that was killed left
mkdir "$partial"
for shard in $SHARDS; do
    source=$(source_of "$shard")
    if [ -z "$source" ]; then
        echo "redis-backup.sh: no server of $shard answers" >&2
        exit 1
    fi
    ask "$source" --rdb "$partial/$shard.rdb" >/dev/null
    valkey-check-rdb "$partial/$shard.rdb" >/dev/null
    echo "$shard: from $source, $(wc -c <"$partial/$shard.rdb") bytes"
done
sync
mv "$partial" "$backups/$name"

# Names sort by time.
# shellcheck disable=SC2012  # they are our own
ls -1 "$backups" | sort -r | tail -n +$((KEEP + 1)) | while read -r old; do
    rm -r "${backups:?}/$old"
done
