#!/usr/bin/env bash
# Train with several processes on this machine: one per GPU (NCCL), or on CPU cores (gloo) where there is no GPU.
#   tools/dist_train.sh CONFIG PROCESSES [options of tools/train.py]
# PORT, NNODES, NODE_RANK and MASTER_ADDR in the environment are passed on to torchrun; PYTHON names the interpreter.
set -euo pipefail
if [ $# -lt 2 ] || ! [[ $2 =~ ^[1-9][0-9]*$ ]]; then
  echo "usage: $0 CONFIG PROCESSES [options of tools/train.py]" >&2
  exit 2
fi
config=$1 processes=$2
shift 2
here=$(cd "$(dirname "$0")" && pwd)
source "$here/dist_common.sh"
launch "$here/train.py" "$config" --launcher pytorch "$@"
