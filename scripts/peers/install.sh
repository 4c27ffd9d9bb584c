#!/usr/bin/env bash
# Installs the peers of `rivalry bench peers`: NumPy and PyTorch in a private virtual environment (.venv), and a program
# that calls matrixmultiply and gemm in target/peers. Writes nothing outside the repository; safe to run again.
#
#   scripts/peers/install.sh
#
# PYTHON=FILE uses another Python than python3. The default build of PyTorch for Linux includes several gigabytes of GPU
# libraries that the peers do not use. PIP_INDEX_URL can name PyTorch's own index of builds for CPUs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

python=${PYTHON:-python3}
if ! "$python" -c 'import venv, ensurepip' >/dev/null 2>&1; then
  printf 'error: %s has no module venv\nhint: install it, for example: apt-get install python3-venv (Debian)\n' "$python" >&2
  exit 1
fi

echo '== virtual environment .venv'
[ -x .venv/bin/python ] || "$python" -m venv .venv
pip() { .venv/bin/python -m pip --disable-pip-version-check "$@"; }

echo '== NumPy'
pip install --quiet -r scripts/peers/requirements.txt

echo '== PyTorch'
if .venv/bin/python -c 'import torch' >/dev/null 2>&1; then
  echo 'already installed'
else
  pip install --quiet -r scripts/peers/requirements-torch.txt
fi

echo '== matrixmultiply and gemm'
cargo build --release --locked --quiet --manifest-path scripts/peers/products/Cargo.toml --target-dir target/peers

.venv/bin/python - <<'EOF'
import numpy, torch
print(f"== installed: numpy {numpy.__version__}, torch {torch.__version__}, target/peers/release/rivalry-peer-products")
EOF
