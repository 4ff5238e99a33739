#!/usr/bin/env bash
# binary.sh OUT: the service as one file, OUT/scrutin, that needs no Python on the machine. Every
# role is in it but the demo and the benchmarks, whose engines would make it ten times as large.
set -euo pipefail

out=$1
work=target/binary

rm -rf "$work"
mkdir -p "$work"
# Built in an environment of its own, of what the service needs and nothing else.
UV_PROJECT_ENVIRONMENT=$PWD/$work/venv .tools/bin/uv sync --quiet --locked --no-default-groups \
    --extra otel --group binary --no-editable --python .venv/bin/python
SOURCE_DATE_EPOCH=315619200 PYTHONHASHSEED=0 "$work/venv/bin/pyinstaller" --log-level WARN --noconfirm \
    --distpath "$out" --workpath "$work/build" compose/package/scrutin.spec
ls -l "$out/scrutin"
