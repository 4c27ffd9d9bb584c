#!/usr/bin/env bash
# Counts the instructions of a minibatch (AVX2 kernels, one thread) and compares them with the recorded ones: a gate on
# speed that does not depend on the clock.
#
#   scripts/counted.sh            fails (exit code 3) where a count is more than 2 % off bench-results/counted/instructions.csv
#   scripts/counted.sh --record   writes that file: after a change that is meant to change the counts
#
# Needs valgrind. Another version of the compiler may count differently, so the file names the one it was made with.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
record=bench-results/counted/instructions.csv
few=4
many=24
tolerance_pct=2

mode=check
case "${1:-}" in
  '') ;;
  --record) mode=record ;;
  *) printf 'error: argument, expected --record or nothing, found %s\nhint: head -10 scripts/counted.sh\n' "$1" >&2; exit 2 ;;
esac
command -v valgrind >/dev/null 2>&1 ||
  { printf 'error: valgrind, not found\nhint: install it, for example: apt-get install valgrind\n' >&2; exit 1; }

cargo build --locked --quiet --release -p rivalry-core --example counted
program=${CARGO_TARGET_DIR:-target}/release/examples/counted
compiler=$(rustc --version | cut -d' ' -f2)

# instructions ENGINE MINIBATCHES
instructions() {
  local log
  log=$(valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" "$1" "$2" 2>&1 >/dev/null) ||
    { printf 'error: counting, expected the program to run under valgrind, found:\n%s\nhint: valgrind 3.19 or later\n' "$log" >&2; return 1; }
  printf '%s\n' "$log" | sed -n 's/.*Collected : *//p'
}

# Starting, quantising all rows and the like are the same in both runs, so the difference is what minibatches cost.
per_minibatch() {
  local first last
  first=$(instructions "$1" "$few")
  last=$(instructions "$1" "$many")
  echo $(((last - first) / (many - few)))
}

if [ "$mode" = record ]; then
  mkdir -p "$(dirname "$record")"
  echo 'engine,instructions_per_minibatch,rustc' > "$record"
fi
failed=0
for engine in dense screened; do
  found=$(per_minibatch "$engine")
  if [ "$mode" = record ]; then
    echo "$engine,$found,$compiler" >> "$record"
    echo "$engine: $found instructions per minibatch, recorded"
    continue
  fi
  IFS=, read -r _ expected made_with < <(grep "^$engine," "$record")
  off=$(awk -v found="$found" -v expected="$expected" 'BEGIN { printf "%.2f", 100 * (found - expected) / expected }')
  echo "$engine: $found instructions per minibatch, recorded $expected (rustc $made_with), $off %"
  if awk -v off="$off" -v most="$tolerance_pct" 'BEGIN { exit !(off > most || off < -most) }'; then
    printf 'error: instructions per minibatch, engine %s, expected %s within %s %%, found %s\n' "$engine" "$expected" "$tolerance_pct" "$found" >&2
    failed=1
  fi
done
if [ "$failed" = 1 ]; then
  echo 'hint: if the change is meant, scripts/counted.sh --record and commit the file with the reason' >&2
  exit 3
fi
