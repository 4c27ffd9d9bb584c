#!/usr/bin/env bash
# Every test: format, lints, documentation, the portable build, all tests, short runs on real data against recorded errors
# (`rivalry verify`); then the instructions of a minibatch against the recorded count.
#
#   scripts/check.sh             all of it
#   scripts/check.sh --offline   the same without downloading anything
#
# Stops at the first failure. What cannot be checked here is said where it happens and again at the end.
# RIVALRY_DATA names a folder of data sets (else data/ is used). MNIST is downloaded to data/ when it is nowhere.
# RIVALRY_REQUIRE_DATA=1 turns missing data into a failure; RIVALRY_REQUIRE_ISA=avx512 a missing instruction set.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD

network=allowed
case "${1:-}" in
  '') ;;
  --offline) network=none ;;
  *) printf 'error: argument, expected --offline or nothing, found %s\nhint: head -10 scripts/check.sh\n' "$1" >&2; exit 2 ;;
esac

need() { command -v "$1" >/dev/null 2>&1 || { printf 'error: %s, not found\nhint: %s\n' "$1" "$2" >&2; exit 1; }; }
need cargo 'install Rust from https://rustup.rs'
need "${CC:-cc}" 'install a C compiler, for example: apt-get install gcc (Debian), xcode-select --install (macOS)'

summary=()
skipped=0
current='preparation'
trap 'report $?' EXIT

report() {
  printf '\n== summary\n'
  if [ ${#summary[@]} -gt 0 ]; then printf '%s\n' "${summary[@]}"; fi
  if [ "$1" -ne 0 ]; then
    printf 'FAILED: %s\n' "$current"
  elif [ "$skipped" -gt 0 ]; then
    printf 'passed, but %d of the checks could not be made here\n' "$skipped"
  else
    echo 'passed'
  fi
}

# step NAME COMMAND…: says what it does, times it; its failure ends the script.
step() {
  current=$1
  shift
  printf '\n== %s: %s\n' "$current" "$*"
  local start=$SECONDS
  "$@"
  summary+=("$(printf '%-22s ok   %4d s' "$current" $((SECONDS - start)))")
}

# skip NAME REASON: loud here and in the summary.
skip() {
  printf '\n!! SKIPPED %s: %s\n' "$1" "$2"
  summary+=("$(printf '%-22s SKIPPED: %s' "$1" "$2")")
  skipped=$((skipped + 1))
}

rivalry() { cargo run --quiet --locked -p rivalry --bin rivalry -- "$@"; }

# component NAME COMMAND: installs a part of the toolchain that some distributions leave out.
component() {
  if cargo "$2" --version >/dev/null 2>&1; then return; fi
  need rustup "cargo $2 is missing: install it with your package manager, or Rust from https://rustup.rs"
  echo "== installing $1"
  rustup component add "$1"
}

tools() {
  component rustfmt fmt
  component clippy clippy
}

docs() { RUSTDOCFLAGS='-D warnings' cargo doc --locked --workspace --no-deps; }

# The crates that hold the numbers must build where there is no x86 code at all. The program itself would need a C
# compiler for the other machine, so it is left out.
other_machine=aarch64-unknown-linux-gnu
other_machine_ready() {
  command -v rustup >/dev/null 2>&1 || return 1
  if rustup target list --installed | grep -qx "$other_machine"; then return 0; fi
  [ "$network" = allowed ] || return 1
  echo "== installing the $other_machine target"
  rustup target add "$other_machine"
}

data_state() { rivalry data list | awk '$1 == "mnist" { print $2 }'; }

step 'tools' tools
step 'format' cargo fmt --all --check
step 'lints' cargo clippy --locked --workspace --all-targets -- -D warnings
step 'documentation' docs
step 'build' cargo build --locked -p rivalry --bin rivalry

# Tests run in the folder of their package, so the place of the data must not depend on it.
case "${RIVALRY_DATA:-}" in
  '') export RIVALRY_DATA="$root/data" ;;
  /*) ;;
  *) export RIVALRY_DATA="$root/$RIVALRY_DATA" ;;
esac
current='data'
data=$(data_state)
if [ "$data" = missing ] && [ "$network" = allowed ]; then
  echo '== MNIST is not here: downloading it (11 MB)'
  rivalry data fetch mnist || echo '== that failed; going on without it'
  data=$(data_state)
fi
if [ "$data" = missing ]; then
  if [ -n "${RIVALRY_REQUIRE_DATA:-}" ]; then
    printf 'error: mnist, %s, expected its files, found none\nhint: scripts/check.sh without --offline downloads them\n' "$RIVALRY_DATA" >&2
    exit 1
  fi
  skip 'real data' "no MNIST in $RIVALRY_DATA: accuracy is checked on synthetic digits only"
else
  step 'data' rivalry data verify mnist
fi

current='portable build'
if other_machine_ready; then
  step 'portable build' cargo check --locked --target "$other_machine" -p rivalry-core -p rivalry-nets
else
  skip 'portable build' "the $other_machine target is not installed (rustup target add $other_machine)"
fi
current='kernels'
supported=$(rivalry info | sed -n 's/^supported *//p')
printf '\n== kernels tested here: %s\n' "$supported"
for isa in amx avx512 avx2; do
  case " $supported " in
    *" $isa "*) ;;
    *) skip "$isa kernels" 'this CPU lacks the instructions' ;;
  esac
done
step 'benchmark answers' rivalry bench verify
step 'tests' cargo test --locked --workspace
step 'accuracy' rivalry verify
current='counts'
case " $supported " in
  *' avx2 '*)
    if command -v valgrind >/dev/null 2>&1; then
      step 'counts' scripts/counted.sh
    else
      skip 'counts' 'valgrind is not installed: instructions per minibatch are not compared'
    fi ;;
  *) skip 'counts' 'this CPU lacks AVX2, whose instructions are counted' ;;
esac
