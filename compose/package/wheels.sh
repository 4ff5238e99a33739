#!/usr/bin/env bash
# wheels.sh OUT: everything that the image installs, in one directory: our wheel, built, the locked
# wheels of what it needs, requirements.txt with the SHA-256 of each, and in sbom/ what all of it is
# made of.
#
# Environment: IMAGE_PYTHON, the version of Python in the image.
set -euo pipefail

out=$1
version=${IMAGE_PYTHON:-3.13}
platform=$(uname -m)

rm -rf "$out"
mkdir -p "$out/sbom"

bash compose/package/wheel.sh "$out" .tools/bin/uv
wheel=$(basename "$out"/scrutin-*.whl)

.tools/bin/uv export --quiet --locked --no-default-groups --no-emit-project --extra otel \
    --format requirements.txt --no-header --no-annotate --output-file "$out/requirements.txt" >/dev/null
.tools/bin/pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
    --require-hashes -r "$out/requirements.txt" --dest "$out" \
    --implementation cp --python-version "$version" --abi "cp${version/./}" --abi abi3 --abi none \
    --platform "manylinux_2_28_$platform" --platform "manylinux_2_17_$platform" \
    --platform "manylinux2014_$platform" --platform "manylinux_2_5_$platform"
name=${wheel#scrutin-}
echo "scrutin==${name%%-*} --hash=sha256:$(sha256sum "$out/$wheel" | cut -d' ' -f1)" >>"$out/requirements.txt"

.tools/bin/uv export --quiet --locked --no-default-groups --extra otel \
    --format cyclonedx1.5 --output-file "$out/sbom/python.cdx.json" >/dev/null
python3 compose/package/licences.py "$out"
