#!/usr/bin/env bash
# Kills the programs at the second pass of every point, and then in as many rounds as the argument says at random passes.
set -euo pipefail
cd "$(dirname "$0")/../.."
kills() { go test -count=1 -timeout=1h ./integration/kills -run TestAProgramKilled -v "$@"; }
kills -pass=second
for ((round = 1; round < ${1:-5}; round++)); do
	kills -pass=random
done
