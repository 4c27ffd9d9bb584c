#!/usr/bin/env bash
# Installs what `rivalry bench peers` compares with: NumPy and PyTorch into a private virtual environment (.venv), and the
# products of matrixmultiply and gemm into target/peers. Nothing outside this folder is touched; safe to run again.
#
#   scripts/peers/install.sh
#
# PYTHON names another Python than python3. The usual build of PyTorch for Linux brings GPU libraries of some gigabytes that
# are not used; PIP_INDEX_URL can name PyTorch's own index of builds for CPUs.
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
else
  pip install --quiet -r scripts/peers/requirements-torch.txt
fi

echo '== matrixmultiply and gemm'
cargo build --release --locked --quiet --manifest-path scripts/peers/products/Cargo.toml --target-dir target/peers

.venv/bin/python - <<'EOF'
import numpy, torch
print(f"== installed: numpy {numpy.__version__}, torch {torch.__version__}, target/peers/release/rivalry-peer-products")
EOF
