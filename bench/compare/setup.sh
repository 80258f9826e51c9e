#!/usr/bin/env bash
# Makes the virtual environment in which the peers run, with the versions that the table names.
# usage: bench/compare/setup.sh FOLDER
# Needs python3 (3.10 to 3.13) with venv, and about 6 GB: PyPI's torch for x86-64 brings CUDA along,
# which nothing here uses. Where pip is told of an index with builds of torch for the CPU alone
# (PIP_EXTRA_INDEX_URL), it takes that one, and 2 GB are enough.
set -euo pipefail
[ $# -eq 1 ] || { sed -n '2,3s/^# //p' "$0" >&2; exit 2; }

python3 -m venv "$1"
"$1/bin/pip" install --quiet --no-compile \
  numpy==2.4.6 \
  torch==2.13.0 \
  onnx==1.23.2 \
  onnxruntime==1.31.1 \
  openvino==2026.4.1 \
  ncnn==1.0.20261020 \
  ctranslate2==4.8.5 \
  executorch==1.5.1 torchao==0.18.0
echo "ready: $1/bin/python bench/compare/run.py --help"
