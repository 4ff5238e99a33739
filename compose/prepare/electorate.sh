#!/bin/sh
# Sample electors and their hash database, unless the directory has one already: yours, or the one
# made before. Environment: ELECTORATE (the directory), ELECTORS (how many).
set -eu

if [ -e "$ELECTORATE/roll/manifest.json" ]; then
    echo "electorate.sh: $ELECTORATE/roll is there"
    exit 0
fi
scrutin hashgen sample --electors "$ELECTORS" --laws L2025-001 --out "$ELECTORATE/electors.csv" --force
scrutin hashgen run "$ELECTORATE/electors.csv" --out "$ELECTORATE/roll" --format binary
