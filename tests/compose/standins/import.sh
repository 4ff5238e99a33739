#!/bin/sh
# import.sh ROOT IMAGE...: a root as made by root.sh becomes each of the images.
set -eu

root=$1
shift
id=$(tar -C "$root" --exclude=./proc/* --exclude=./sys/* -c . |
    docker import --change 'LABEL scrutin.standin=true' --change 'ENV PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' -)
for image in "$@"; do
    docker tag "$id" "$image"
done
