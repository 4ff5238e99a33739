#!/bin/sh
# Puts a Redis-protocol server that speaks TLS into DIR/valkey-server: the wheel's was built without.
#
# One on PATH serves if it is 7.2 or newer and linked with OpenSSL; else Debian's package is unpacked
# there, from backports where the release itself has none. Nothing is installed, no root is needed.
set -eu

directory=$1
[ ! -x "$directory/valkey-server" ] || exit 0
mkdir -p "$directory"
directory=$(cd "$directory" && pwd)

fail() {
    echo "The tests of TLS need $1: install valkey-server or redis-server 7.2 or newer, built with TLS." >&2
    exit 1
}

for name in valkey-server redis-server; do
    found=$(command -v "$name") || continue
    version=$("$found" --version | sed -E 's/.* v=([0-9]+)\.([0-9]+).*/\1 * 100 + \2/')
    if [ "$((version))" -ge 702 ] && ldd "$found" | grep -q libssl; then
        ln -s "$found" "$directory/valkey-server"
        exit 0
    fi
done

command -v apt-get >/dev/null || fail "a server on PATH"
release=$(. /etc/os-release && echo "${ID:-} ${VERSION_CODENAME:-}")
case "$release" in debian\ ?*) release=${release#debian } ;; *) fail "a server on PATH" ;; esac

apt=$directory/apt
mkdir -p "$apt/lists/partial" "$apt/archives/partial"
cat >"$apt/debian.sources" <<EOF
Types: deb
URIs: http://deb.debian.org/debian
Suites: $release $release-backports
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
EOF
get() {
    apt-get -qq -o Dir::Etc::sourcelist="$apt/debian.sources" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::State::lists="$apt/lists" -o Dir::Cache="$apt" -o APT::Sandbox::User=root "$@"
}
get update
(cd "$apt" && get download valkey-server valkey-tools libjemalloc2 liblzf1) || fail "Debian's valkey-server"
for package in "$apt"/*.deb; do
    dpkg-deb -x "$package" "$directory"
done
libraries=$(echo "$directory"/usr/lib/*-linux-gnu)
for name in valkey-server valkey-cli; do
    printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s/usr/bin/%s "$@"\n' "$libraries" "$directory" "$name" \
        >"$directory/$name"
    chmod +x "$directory/$name"
done
rm -r "$apt"
