#!/usr/bin/env bash
# Runs every fuzz test of the module, or of the packages given, for FUZZTIME (5s) each: the decoders of bytes that others
# wrote. A finding is written to the package's testdata/fuzz, and is a test from then on.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- ./...
time=${FUZZTIME:-5s} ran=0
while read -r package dir; do
  # go test -list would link every package, those with DuckDB in them too, only to find that most have none.
  targets=$(grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$dir"/*_test.go 2>/dev/null | sed 's/^func //') || continue
  for target in $targets; do
    echo "fuzz $package $target $time"
    go test -mod=readonly -run='^$' -fuzz="^$target\$" -fuzztime="$time" "$package"
    ran=$((ran + 1))
  done
done < <(go list -f '{{.ImportPath}} {{.Dir}}' "$@")
[ "$ran" -gt 0 ] || { echo "no fuzz tests in $*" >&2; exit 1; }
