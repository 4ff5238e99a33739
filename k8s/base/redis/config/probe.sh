#!/bin/sh
# probe.sh alive: the server answers, be it that it is loading its data.
# probe.sh ready: it has its data, and as a replica it follows its primary.
#
# Environment: POD_IP, REDISCLI_AUTH (the password of the user `probe`).
set -eu

ask() {
    valkey-cli -h "$POD_IP" -p 6379 --user probe --no-auth-warning --tls \
        --cacert /etc/redis/tls/ca.crt --cert /etc/redis/tls/tls.crt --key /etc/redis/tls/tls.key \
        "$@" 2>&1
}

reply=$(ask PING) || reply=${reply:-no answer}
case "$1:$reply" in
    *:PONG) ;;
    alive:*LOADING* | alive:*MASTERDOWN*) exit 0 ;;
    *)
        echo "probe.sh: $reply" >&2
        exit 1
        ;;
esac

if [ "$1" = ready ]; then
    ask INFO replication | grep -Eq '^(role:master|master_link_status:up)' || {
        echo "probe.sh: the replica does not follow its primary yet" >&2
        exit 1
    }
fi
