#!/usr/bin/env bash
# The main job: builds the program and reproduces the paper's MNIST row, ours beside the published number.
#
#   scripts/reproduce.sh                     mnist --quick: 100 + 60 epochs
#   scripts/reproduce.sh mnist --paper       the paper's protocol: 1000 + 300 epochs
#   scripts/reproduce.sh all --quick         both data sets and every sweep, short
#   scripts/reproduce.sh mnist --seeds 3     any arguments of `rivalry reproduce`
#
# Needs cargo and a C compiler; MNIST is downloaded when it is not there. Safe to run again: finished runs are kept, a
# run that was stopped goes on, and --force starts afresh. Paths count from the repository root, wherever this is started.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

need() { command -v "$1" >/dev/null 2>&1 || { printf 'error: %s, not found\nhint: %s\n' "$1" "$2" >&2; exit 1; }; }
need cargo 'install Rust from https://rustup.rs'
need "${CC:-cc}" 'install a C compiler, for example: apt-get install gcc (Debian), xcode-select --install (macOS)'

if [ $# -eq 0 ]; then
  set -- mnist --quick
fi
case " $* " in
  *' --force '* | *' --resume '* | *' --help '* | *' -h '*) ;;
  *) set -- "$@" --resume ;;
esac

echo "== building the program (release)" >&2
cargo build --release --locked -p rivalry --bin rivalry
echo "== rivalry reproduce $*" >&2
start=$SECONDS
cargo run --quiet --release --locked -p rivalry --bin rivalry -- reproduce "$@"
echo "== done in $((SECONDS - start)) s; runs, curves and receptive fields are under data/runs/, or where --out says" >&2
