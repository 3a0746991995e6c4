# Shared by dist_train.sh and dist_test.sh: `launch SCRIPT ARGS...` starts $processes processes under torchrun.
launch() {
  local python=${PYTHON:-}
  if [ -z "$python" ]; then
    python=python
    [ -x "$here/../.venv/bin/python" ] && python="$here/../.venv/bin/python"
  fi
  local share=$(($(nproc) / processes))
  export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$((share > 0 ? share : 1))}
  local rendezvous=(--standalone)
  if [ "${NNODES:-1}" -gt 1 ] || [ -n "${PORT:-}" ]; then
    rendezvous=(--nnodes "${NNODES:-1}" --node-rank "${NODE_RANK:-0}"
      --master-addr "${MASTER_ADDR:-127.0.0.1}" --master-port "${PORT:-29500}")
  fi
  exec "$python" -m procrop.engine.torchrun "${rendezvous[@]}" --nproc-per-node "$processes" "$@"
}
