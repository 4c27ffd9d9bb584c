#!/usr/bin/env bash
# Every test: format, lints, documentation, the portable build, benchmark answers, all tests, documents against their
# records, short runs on real data against recorded errors (`rivalry verify`), and the instructions of a minibatch against
# the recorded count.
#
#   scripts/check.sh                 all of it
#   scripts/check.sh --strict        a check that cannot be made here is a failure
#   scripts/check.sh --strict=but-isa  the same, except for instruction sets that this CPU lacks
#   scripts/check.sh --offline       without downloading anything
#
# Stops at the first failure. What cannot be checked here is said where it happens and counted at the end.
# RIVALRY_DATA names a folder of data sets (else data/ is used). MNIST is downloaded to data/ when it is nowhere.
# RIVALRY_CONFORMANCE and RIVALRY_LEARNERS name folders of recorded cases (CONTRIBUTING.md says what they hold).
# RIVALRY_REQUIRE_ISA=avx512 turns that missing instruction set into a failure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD

network=allowed
strict=no
for argument in "$@"; do
  case "$argument" in
    --offline) network=none ;;
    --strict) strict=yes ;;
    --strict=but-isa) strict=but-isa ;;
    *) printf 'error: unknown argument %s\nhint: head -14 scripts/check.sh\n' "$argument" >&2; exit 2 ;;
  esac
done

need() { command -v "$1" >/dev/null 2>&1 || { printf 'error: %s is not installed\nhint: %s\n' "$1" "$2" >&2; exit 1; }; }
need cargo 'install Rust from https://rustup.rs'
need "${CC:-cc}" 'install a C compiler, for example: apt-get install gcc (Debian), xcode-select --install (macOS)'

summary=()
skipped=0
missing=0
current='preparation'
trap 'report $?' EXIT

report() {
  printf '\n== summary\n'
  if [ ${#summary[@]} -gt 0 ]; then printf '%s\n' "${summary[@]}"; fi
  if [ "$1" -ne 0 ]; then
    printf 'FAILED: %s\n' "$current"
  elif [ "$missing" -gt 0 ]; then
    printf 'FAILED: %d checks could not be made here, and --strict forbids that\n' "$missing"
    exit 1
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

# skip KIND NAME REASON: loud here and in the summary; KIND is isa or other.
skip() {
  printf '\n!! SKIPPED %s: %s\n' "$2" "$3"
  summary+=("$(printf '%-22s SKIPPED: %s' "$2" "$3")")
  skipped=$((skipped + 1))
  case "$strict-$1" in
    no-* | but-isa-isa) ;;
    *) missing=$((missing + 1)) ;;
  esac
}

# tests NAME COMMAND…: a step whose output says what could not be tested: tests `!! SKIPPED what: why` on a line of their
# own, `bench verify` and `verify` in words of theirs.
tests() {
  local log line kind
  log=$(mktemp)
  step "$1" logged "$log" "${@:2}"
  while IFS= read -r line; do
    kind=other
    case "$line" in *' kernels: '*) kind=isa ;; esac
    skip "$kind" "${line%%: *}" "${line#*: }"
  done < <(sed -nE 's/^!! SKIPPED //p; s/^SKIPPED +([^ ]+) +/\1: /p; s/^note: (gate [^ ]+) is skipped: /\1: /p' "$log" | sort -u)
  rm -f "$log"
}

logged() { "${@:2}" 2>&1 | tee "$1"; }

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

# The crates that hold the numbers must build where there is no x86 code at all, and where usize has 32 bits. The program
# itself would need a C compiler for the other machine, so it is left out.
target_ready() {
  command -v rustup >/dev/null 2>&1 || return 1
  if rustup target list --installed | grep -qx "$1"; then return 0; fi
  [ "$network" = allowed ] || return 1
  echo "== installing the $1 target"
  rustup target add "$1"
}

# Documents against the records that their tables name.
documents() {
  local document
  for document in README.md bench-results/README.md; do
    rivalry report bench-results --splice "$document" --check
    rivalry bench report --splice "$document" --check
  done
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
  skip other 'real data' "no MNIST in $RIVALRY_DATA: accuracy is checked on synthetic digits only"
else
  step 'data' rivalry data verify mnist
fi

current='portable build'
for target in aarch64-unknown-linux-gnu i686-unknown-linux-gnu; do
  if target_ready "$target"; then
    step "build for ${target%%-*}" cargo check --locked --target "$target" -p rivalry-core -p rivalry-nets
  else
    skip other "build for ${target%%-*}" "the $target target is not installed (rustup target add $target)"
  fi
done
current='kernels'
supported=$(rivalry info | sed -n 's/^supported *//p')
printf '\n== kernels of this CPU: %s\n' "$supported"
tests 'benchmark answers' rivalry bench verify
tests 'tests' cargo test --locked --workspace
step 'documents' documents
tests 'accuracy' rivalry verify
current='counts'
case " $supported " in
  *' avx2 '*)
    if command -v valgrind >/dev/null 2>&1; then
      step 'counts' scripts/counted.sh
    else
      skip other 'counts' 'valgrind is not installed: instructions per minibatch are not compared'
    fi ;;
  *) skip other 'counts' 'this CPU lacks AVX2, whose instructions are counted' ;;
esac
