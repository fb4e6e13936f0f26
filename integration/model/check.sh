#!/usr/bin/env bash
# Has Spin search the whole state space of both models, which must hold, and then each model with one guard left out, which
# must break the assertion named here. It needs spin and a C compiler (integration/deps.sh spin), 2 GB of memory, and a minute.
set -euo pipefail
cd "$(dirname "$0")"
for tool in spin "${CC:=gcc}"; do
  command -v "$tool" >/dev/null || { echo "model: $tool is missing; run: bash integration/deps.sh spin cxx" >&2; exit 1; }
done
here=$PWD work=$(mktemp -d) passed=0 failed=0
trap 'rm -rf "$work"' EXIT

# search MODEL DEFINES... : writes what pan says to $work/out.
search() {
  local model=$1
  shift
  rm -f "$work"/*
  cp "$here/$model.pml" "$work"
  (cd "$work" && spin -a "$@" "$model.pml" >spin.out 2>&1 && "$CC" -O2 -DSAFETY -DCOLLAPSE -DMEMLIM=2000 -w -o pan pan.c &&
    timeout 90 ./pan -m100000 -w22 >out 2>&1) || true
}

# holds MODEL DEFINES... : every state was looked at, and nothing is wrong in any.
holds() {
  search "$@"
  local states
  states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' "$work/out")
  if grep -q 'errors: 0' "$work/out" && ! grep -qE 'max search depth too small|not completed|out of memory|reached -DMEMLIM' "$work/out"; then
    passed=$((passed + 1))
    printf '%-8s %-42s holds in all %s states\n' "$1" "${*:2}" "$states"
  else
    failed=$((failed + 1))
    printf '%-8s %-42s FAILED: %s\n' "$1" "${*:2}" "$(grep -m1 -E 'assertion|invalid end|errors:|memory' "$work/out" || tail -1 "$work/spin.out")"
  fi
}

# breaks MODEL GUARD ASSERTION : without the guard the search ends at that assertion.
breaks() {
  local model=$1 guard=$2 want=$3 line got
  search "$model" "-DTROUBLES=2" "-D$guard"
  line=$(cd "$work" && spin -t "-DTROUBLES=2" "-D$guard" "$model.pml" 2>&1 | sed -n "s/^spin: .*$model.pml:\([0-9]*\), Error: assertion violated.*/\1/p" | head -1)
  got=$([ -n "$line" ] && sed -n "${line}p" "$here/$model.pml" || grep -m1 -oE 'invalid end state|errors: [0-9]+' "$work/out" || true)
  if [[ $got == *"$want"* ]]; then
    passed=$((passed + 1))
    printf '%-8s without %-34s breaks %s\n' "$model" "${guard#NO_}" "$want"
  else
    failed=$((failed + 1))
    printf '%-8s without %-34s FAILED: want %s, got %s\n' "$model" "${guard#NO_}" "$want" "${got:-nothing}"
  fi
}

holds load -DTROUBLES=2
holds publish -DTROUBLES=1

breaks load NO_FENCE_CHECK ONE_WRITER
breaks load NO_CLAIM_COMMITTED ONE_WRITER
breaks load NO_NEXT_CHECK I3_
breaks load NO_WRITE_BEFORE_OFFSET I1_
breaks load NO_SETTLE_ASSUMES_FAILED I8_
breaks load NO_SETTLE_ASSUMES_LANDED I8_
breaks load NO_LETTER_FIRST DELIVERED

breaks publish NO_INDEX I3_
breaks publish NO_INDEX_SKIPS I3_
breaks publish NO_LOOK_ASSUMES_ABORTED I8_
breaks publish NO_LOOK_ASSUMES_COMMITTED I8_
breaks publish NO_CONFIRM_AFTER_COMMIT I1_
breaks publish NO_WHOLE I1_
breaks publish NO_EPOCH_CHECK I1_
breaks publish NO_READ_COMMITTED I1_
breaks publish NO_POSITION_INSIDE DELIVERED
breaks publish NO_FENCE 'slot <= HIGH(from)'
breaks publish NO_ID_FIRST 'slot <= HIGH(from)'
breaks publish NO_MARK 'slot <= HIGH(from)'

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
