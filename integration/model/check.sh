#!/usr/bin/env bash
# Has Spin search the whole state space of both models, which must hold, and then each model with one guard left out, which
# must break the assertion named here. Two searches run at a time. It prints what fails, and one line at the end; with V=1 a
# line for each search. It needs spin and a C compiler (integration/deps.sh spin cxx), 2 GB of memory and a minute or two.
set -euo pipefail
cd "$(dirname "$0")"

# All searches: the model, the assertion that must break (- where nothing may), and the macros that are defined. NO_GAP_CHECK
# and NO_ONE_WRITER leave out what notices first, so that the invariant itself is seen to break.
searches() {
  cat <<'END'
load     -
publish  -
publish  -                           MOVED

load     I3_RESET_IS_OBEYED_ONCE     NO_FENCE_CHECK
load     I3_RESET_IS_OBEYED_ONCE     NO_CLAIM_COMMITTED
load     I3_EACH_ONCE_IN_ORDER       NO_CLAIM_WAITS NO_ONE_WRITER
load     I2_ONE_WRITER               NO_CLAIM_WAITS
load     I3_EACH_ONCE_IN_ORDER       NO_NEXT_CHECK
load     I3_RESET_IS_OBEYED_ONCE     NO_ADOPT
load     I3_RESET_IS_OBEYED_ONCE     NO_OFFSETS_AFTER_CLAIM
load     I3_RESET_IS_OBEYED_ONCE     NO_RESET_FENCE
load     I3_RESET_IS_OBEYED_ONCE     NO_SETTLE_ALONE
load     I8_NOT_LANDED_IS_KNOWN      NO_SETTLE_ASSUMES_FAILED
load     I8_LANDED_IS_KNOWN          NO_SETTLE_ASSUMES_LANDED
load     I1_OFFSET_ONLY              NO_WRITE_BEFORE_OFFSET
load     I4_DEAD_LETTER              NO_LETTER_FIRST

publish  LEASE_NOBODY_IS_FENCED      NO_LEASE
publish  I3_RESUMES                  NO_FENCE NO_GAP_CHECK
publish  I3_RESUMES                  NO_ID_FIRST NO_GAP_CHECK
publish  I3_RESUMES                  NO_MARK NO_GAP_CHECK
publish  I4_A_GAP_IS_REAL            NO_FENCE
publish  I4_A_GAP_IS_REAL            NO_ID_FIRST
publish  I4_A_GAP_IS_REAL            NO_MARK
publish  I4_A_GAP_IS_REAL            NO_GAP_PROOF
publish  I3_RESUMES                  NO_GAP_CHECK MOVED
publish  I3_RESUMES                  NO_READ_COMMITTED
publish  I3_NOTHING_LOST             RESUMED_BY_LSN
publish  I3_NOTHING_LOST             RESUMED_BY_LSN NO_INDEX
publish  I8_OUTCOME_LOOKED_FOR       NO_LOOK_ASSUMES_ABORTED
publish  I8_OUTCOME_LOOKED_FOR       NO_LOOK_ASSUMES_COMMITTED
publish  I1_CONFIRMED_ONLY           NO_CONFIRM_AFTER_COMMIT
publish  I1_CONFIRMED_ONLY           NO_WHOLE
publish  I1_CONFIRMED_ONLY           NO_EPOCH_CHECK
publish  I4_DELIVERED                NO_POSITION_INSIDE
END
}

# search MODEL ASSERTION MACRO... : one line, ok or FAILED, of what the search came to.
search() {
  local model=$1 want=$2 got line
  shift 2
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  cp "$model.pml" "$work"
  cd "$work"
  if [ "$want" = - ]; then
    explore 300 -O2 "$@"
  else
    # Most errors are met soon in this order of the processes, and the others in the usual one.
    explore 2 '-O1 -DREVERSE' "$@"
    [ -e "$model.pml.trail" ] || explore 300 -O1 "$@"
  fi
  got=$(grep -m1 -oE 'max search depth too small|reached -DMEMLIM|out of memory|pan:1: invalid end state|errors: [0-9]+' out || tail -1 out)
  if [ -e "$model.pml.trail" ]; then
    line=$(spin -t "${@/#/-D}" "$model.pml" 2>&1 | sed -n "s/^spin: $model.pml:\([0-9]*\), Error: assertion violated.*/\1/p" | head -1)
    # The line has the assertion's name, or that of the macro that it is in.
    [ -z "$line" ] || got=$(sed -n "${line}s/^ *FENCED.*/LEASE_NOBODY_IS_FENCED_IN_QUIET/;${line}p" "$model.pml" | grep -m1 -oE '(I[0-9]|LEASE)_[A-Z0-9_]+' || true)
  fi
  if [ "$want" = - ] && [ "$got" = 'errors: 0' ]; then
    echo "ok $model${*:+ with $*} holds in all $(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' out) states"
  elif [ "$want" != - ] && [[ $got == "$want"* ]]; then
    echo "ok $model with $* breaks $got"
  else
    echo "FAILED $model${*:+ with $*}: want ${want/#-/no error}, got ${got:-nothing}"
  fi
}

# explore SECONDS OPTIONS MACRO... : has pan search the state space of $model. What it says is in the file out.
explore() {
  local limit=$1 options=$2
  shift 2
  if spin -a "${@/#/-D}" "$model.pml" >out 2>&1 && "$CC" $options -DSAFETY -DCOLLAPSE -DMEMLIM=4000 -w -o pan pan.c 2>out; then
    timeout "$limit" ./pan -m500000 -w22 >out 2>&1 || true
  fi
}

export CC=${CC:-gcc}
if [ $# -gt 0 ]; then
  search "$@"
  exit
fi
for tool in spin "$CC"; do
  command -v "$tool" >/dev/null || { echo "model: $tool is missing; run: bash integration/deps.sh spin cxx" >&2; exit 1; }
done
began=$SECONDS total=$(searches | grep -c .)
results=$(searches | grep . | xargs -P 2 -L 1 bash check.sh | if [ -n "${V:-}" ]; then tee /dev/stderr; else cat; fi) || true
grep -E '^FAILED| holds ' <<<"$results" | sed 's/^ok //' || true
good=$(grep -c '^ok ' <<<"$results" || true)
echo "model: $(grep -c '^ok .* holds ' <<<"$results") searches without an error, $(grep -c '^ok .* breaks ' <<<"$results") guards left out and missed, $((total - good)) of $total failed, $((SECONDS - began)) s"
[ "$good" = "$total" ]
