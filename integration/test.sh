#!/usr/bin/env bash
# Runs the tests of the module, or of the packages given, against engines that are started once for all of them. What go test
# writes comes last, and its exit code is this script's.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- ./...
# Two packages at a time: each test of the protocols runs servers and several connectors at once.
go build -o bin/with-engines ./integration/engines/with
exec bin/with-engines -- go test -count=1 -mod=readonly -timeout=20m -p=2 "$@"
