#!/usr/bin/env bash
# Installs what `rivalry bench peers` compares with: NumPy and PyTorch into a private virtual environment (.venv), and the
# products of matrixmultiply and gemm into target/peers. Nothing outside this folder is touched; safe to run again.
#
#   scripts/peers/install.sh
#
# PYTHON names another Python than python3. PyTorch comes from its own index of builds for CPUs; where that cannot be
# reached, from the usual index, whose build for Linux brings GPU libraries of some gigabytes that are not used.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

python=${PYTHON:-python3}
if ! "$python" -c 'import venv, ensurepip' >/dev/null 2>&1; then
  printf 'error: %s with the module venv, not found\nhint: install it, for example: apt-get install python3-venv (Debian)\n' "$python" >&2
  exit 1
fi

echo '== virtual environment .venv'
[ -x .venv/bin/python ] || "$python" -m venv .venv
pip() { .venv/bin/python -m pip --disable-pip-version-check "$@"; }

echo '== NumPy'
pip install --quiet -r scripts/peers/requirements.txt

echo '== PyTorch'
if .venv/bin/python -c 'import torch' >/dev/null 2>&1; then
  echo 'is there'
elif pip install --quiet --retries 0 --timeout 15 --index-url https://download.pytorch.org/whl/cpu \
  -r scripts/peers/requirements-torch.txt 2>/dev/null; then
  echo 'build for CPUs'
else
  echo 'its index of builds for CPUs cannot be reached: taking the usual one, which is large'
  pip install --quiet -r scripts/peers/requirements-torch.txt
fi

echo '== matrixmultiply and gemm'
cargo build --release --locked --quiet --manifest-path scripts/peers/products/Cargo.toml --target-dir target/peers

.venv/bin/python - <<'EOF'
import numpy, torch
print(f"== installed: numpy {numpy.__version__}, torch {torch.__version__}, target/peers/release/rivalry-peer-products")
EOF
