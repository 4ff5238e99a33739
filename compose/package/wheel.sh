#!/usr/bin/env bash
# wheel.sh OUT UV: our wheel. The same source gives the same file, wherever it lies.
set -euo pipefail

out=$1
uv=$2

export CARGO_HOME=${CARGO_HOME:-$HOME/.cargo}
export RUSTFLAGS="--remap-path-prefix=$CARGO_HOME=/cargo --remap-path-prefix=$PWD=/source"
export SOURCE_DATE_EPOCH=315619200 # nothing in a wheel can be older
export CARGO_TARGET_DIR=$PWD/target/wheels
mkdir -p "$out"
"$uv" build --quiet --wheel --out-dir "$out"
python3 compose/package/relocate.py "$out"/scrutin-*.whl "$PWD"
