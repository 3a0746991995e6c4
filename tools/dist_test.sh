#!/usr/bin/env bash
# Test with several processes on this machine: one per GPU (NCCL), or on CPU cores (gloo) where there is no GPU.
#   tools/dist_test.sh CONFIG CHECKPOINT PROCESSES [options of tools/test.py]
#   tools/dist_test.sh CHECKPOINT PROCESSES [options of tools/test.py]
# PORT, NNODES, NODE_RANK and MASTER_ADDR in the environment are passed on to torchrun; PYTHON names the interpreter.
set -euo pipefail
paths=()
while [ $# -gt 0 ] && ! [[ $1 =~ ^[1-9][0-9]*$ ]]; do
  paths+=("$1")
  shift
done
if [ ${#paths[@]} -lt 1 ] || [ ${#paths[@]} -gt 2 ] || [ $# -lt 1 ]; then
  echo "usage: $0 [CONFIG] CHECKPOINT PROCESSES [options of tools/test.py]" >&2
  exit 2
fi
processes=$1
shift
here=$(cd "$(dirname "$0")" && pwd)
source "$here/dist_common.sh"
launch "$here/test.py" "${paths[@]}" --launcher pytorch "$@"
