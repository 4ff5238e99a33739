#!/bin/sh
# Certificates for development: an authority of our own, and one for each service, in a directory of
# its own that its user can read. May be run at any time: what is good is left alone, what has less
# than 30 days is made anew.
#
# Environment: AUTHORITY (directory of the authority's certificate and key), TLS (directory with one
# directory for each name below), BALANCER_NAME (by which voters call the balancer).
set -eu
umask 077

days=365
renew_before_s=$((30 * 86400))
key="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"

quietly() { # openssl's words are worth reading only when it fails
    said=$(openssl "$@" 2>&1) || {
        echo "certificates.sh: openssl $1: $said" >&2
        exit 1
    }
}

if ! openssl x509 -in "$AUTHORITY/ca.crt" -noout -checkend $((2 * days * 86400)) >/dev/null 2>&1; then
    # shellcheck disable=SC2086  # several options
    quietly req -x509 $key -days 3650 -subj "/CN=Scrutin development" \
        -addext "basicConstraints=critical,CA:true,pathlen:0" -addext "keyUsage=critical,keyCertSign,cRLSign" \
        -keyout "$AUTHORITY/ca.key" -out "$AUTHORITY/ca.crt"
    echo "certificates.sh: a new authority"
fi

good() { # directory
    openssl x509 -in "$1/tls.crt" -noout -checkend $renew_before_s >/dev/null 2>&1 &&
        openssl verify -CAfile "$AUTHORITY/ca.crt" "$1/tls.crt" >/dev/null 2>&1
}

certificate() { # name, user, names in it
    directory=$TLS/$1
    if ! good "$directory"; then
        # shellcheck disable=SC2086  # several options
        quietly req -new $key -subj "/CN=$1.scrutin" -addext "subjectAltName=$3" \
            -addext "extendedKeyUsage=serverAuth,clientAuth" \
            -keyout "$directory/tls.key.new" -out "$directory/request"
        quietly x509 -req -in "$directory/request" -days $days -copy_extensions copy \
            -CA "$AUTHORITY/ca.crt" -CAkey "$AUTHORITY/ca.key" -out "$directory/tls.crt.new"
        rm "$directory/request"
        cp "$AUTHORITY/ca.crt" "$directory/ca.crt.new"
        chmod 0755 "$directory"
        chmod 0444 "$directory/tls.crt.new" "$directory/ca.crt.new"
        chmod 0400 "$directory/tls.key.new"
        chown "$2:$2" "$directory/tls.key.new"
        for file in tls.key ca.crt tls.crt; do
            mv -f "$directory/$file.new" "$directory/$file"
        done
        echo "certificates.sh: a certificate for $1"
    fi
}

certificate balancer 99 "DNS:balancer,DNS:localhost,IP:127.0.0.1,IP:::1,DNS:$BALANCER_NAME"
certificate edge 10001 "DNS:edge.scrutin.svc"
certificate drain 10001 "DNS:drain.scrutin.svc"
certificate jobs 10001 "DNS:jobs.scrutin.svc"
certificate redis 999 "DNS:redis.scrutin.svc,DNS:*.redis.scrutin.svc,DNS:localhost"
certificate clickhouse 101 "DNS:clickhouse.scrutin.svc,DNS:*.clickhouse-nodes.scrutin.svc,DNS:localhost"
certificate keeper 101 "DNS:keeper.scrutin.svc,DNS:*.keeper-nodes.scrutin.svc"
certificate prometheus 65534 "DNS:prometheus.scrutin.svc"
