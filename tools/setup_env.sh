#!/usr/bin/env bash
# Make .venv in the checkout: the packages of requirements.txt, mmcv compiled against the installed torch
# (or taken from a wheel), and ProCrop itself in editable form. Run again, it goes on where it was stopped;
# a finished set-up is recognised in a moment.
#
# Environment:
#   PYTHON          interpreter to start from (default: python3.11)
#   PIP_FIND_LINKS  folders; an mmcv wheel of the pinned version in one of them saves its compilation
#   MAX_JOBS        compilers at once (default: the number of cores)
set -euo pipefail

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cd "$ROOT"
VENV="$ROOT/.venv"
VPY="$VENV/bin/python"
STAMP="$VENV/.procrop-setup"
UV_PIN="uv==0.13.9"
SUPPORTED="3.11" # the pinned set is verified on this version only
NEED_GB=12       # an empty .venv needs this much: packages about 6 GB, downloads and compilation beside them
BEAT_S=20        # seconds between signs of life

say() { printf 'setup: %s\n' "$*"; }
die() {
    printf 'setup: error: %s\n' "$*" >&2
    exit 1
}
step() { say "[$1/6] $2 (${SECONDS} s)"; }

# what a finished set-up was made of; the path counts because an editable install records it
key() { { cat requirements.txt setup.py tools/setup_env.sh && pwd; } | sha256sum | cut -d' ' -f1; }
pin() { sed -n "s/^$1==\([^ ;#]*\).*/\1/p" requirements.txt; }
version_of() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null; }
is_finished() { [ -f "$STAMP" ] && [ "$(cat "$STAMP")" = "$(key)" ] && [ "$(version_of "$VPY")" = "$SUPPORTED" ]; }

# run a silent command; say every BEAT_S seconds that it lives; on failure show the end of its log
quietly() {
    local name="$1" log="$VENV/$2.log" status=0
    shift 2
    (
        exec 9>&- </dev/null
        while sleep "$BEAT_S" >/dev/null 2>&1; do say "      $name ... ${SECONDS} s"; done
    ) &
    BEAT=$!
    "$@" >"$log" 2>&1 </dev/null || status=$?
    kill "$BEAT" 2>/dev/null || true
    wait "$BEAT" 2>/dev/null || true
    BEAT=""
    [ "$status" -eq 0 ] || tail -n 25 "$log" >&2
    return "$status"
}

BEAT="" SCRATCH=""
cleanup() {
    [ -z "$BEAT" ] || kill "$BEAT" 2>/dev/null || true
    [ -z "$SCRATCH" ] || rm -rf "$SCRATCH"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# ------------------------------------------------------------------ what the machine must have
find_wheel_folder() { # print the first folder of PIP_FIND_LINKS that holds the pinned mmcv for this Python
    local folder wheel tag="cp${SUPPORTED/./}"
    for folder in ${PIP_FIND_LINKS:-}; do
        folder="${folder#file://}"
        for wheel in "$folder/mmcv-$(pin mmcv)-$tag-"*"$(uname -m).whl"; do
            [ -f "$wheel" ] && printf '%s\n' "$folder" && return 0
        done
    done
    return 1
}

check_python() {
    BASE_PYTHON="${PYTHON:-python$SUPPORTED}"
    local remedy="install Python $SUPPORTED with venv and pip, or name one: PYTHON=/path/to/python$SUPPORTED make setup"
    local found
    found="$(version_of "$BASE_PYTHON")" || die "$BASE_PYTHON does not run; $remedy"
    [ "$found" = "$SUPPORTED" ] || die "$BASE_PYTHON is Python $found, and the pinned packages are verified on $SUPPORTED only; $remedy"
}

check_compiler() {
    export CXX="${CXX:-c++}"
    command -v "${CXX%% *}" >/dev/null 2>&1 ||
        die "no C++ compiler ($CXX) to compile mmcv with; install one (Debian: apt-get install g++) or name one: CXX=/path/to/g++ make setup"
    local include
    include="$("$BASE_PYTHON" -c 'import sysconfig; print(sysconfig.get_path("include"))')"
    [ -f "$include/Python.h" ] ||
        die "no Python.h in $include to compile mmcv with; install Python's headers (Debian: apt-get install python$SUPPORTED-dev)"
}

check_disk() {
    local free used=0
    free="$(df -Pk "$ROOT" | awk 'NR == 2 { print int($4 / 1048576) }')"
    if [ -d "$VENV" ]; then used="$(du -sk "$VENV" | awk '{ print int($1 / 1048576) }')"; fi
    [ $((free + used)) -ge "$NEED_GB" ] ||
        die "only $free GB free in $ROOT, and the set-up needs $((NEED_GB - used)) GB; free some, or clone to a larger disk"
}

# ------------------------------------------------------------------ the steps
make_venv() {
    if [ -e "$VPY" ] || [ -L "$VPY" ]; then
        local found
        found="$(version_of "$VPY")" || found="that does not run"
        [ "$found" = "$SUPPORTED" ] || die ".venv holds a Python $found instead of $SUPPORTED; remove it and run this again: rm -rf $VENV"
    fi
    if ! "$VPY" -m pip --version >/dev/null 2>&1; then
        # Debian ships Python without ensurepip: then the pip of the base interpreter fills the bare environment
        "$BASE_PYTHON" -m venv "$VENV" >/dev/null 2>&1 ||
            { "$BASE_PYTHON" -m venv --without-pip "$VENV" &&
                "$BASE_PYTHON" -m pip --python "$VPY" install -qq pip; } ||
            die "$BASE_PYTHON can make no virtual environment; install its venv and pip (Debian: apt-get install python$SUPPORTED-venv)"
    fi
    "$VPY" -m pip install -qq --disable-pip-version-check "$UV_PIN" ||
        die "pip could not install $UV_PIN; see the lines above, check the network and run this again"
}

uv_settings() { # uv does not read pip's settings: hand over the index and the certificates a user gave to pip
    local index
    index="$("$VPY" -m pip config get global.index-url 2>/dev/null || true)"
    index="${PIP_INDEX_URL:-$index}"
    [ -z "$index" ] || export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$index}"
    [ -z "${PIP_CERT:-}" ] || export SSL_CERT_FILE="${SSL_CERT_FILE:-$PIP_CERT}"
    export UV_HTTP_TIMEOUT="${UV_HTTP_TIMEOUT:-300}"
    unset VIRTUAL_ENV CONDA_PREFIX PYTHONPATH PYTHONHOME
}

uv_install() { "$VENV/bin/uv" pip install --python "$VPY" "$@"; }

install_packages() { # everything but mmcv, which needs torch to be there
    grep -v '^mmcv==' requirements.txt >"$SCRATCH/requirements.txt"
    local failed="the packages could not be installed; see the lines above, check the network and the disk, and run this again (what is downloaded is kept)"
    if [ -t 2 ]; then
        uv_install -r "$SCRATCH/requirements.txt" || die "$failed"
    else
        quietly "downloading and installing" setup-packages uv_install -r "$SCRATCH/requirements.txt" || die "$failed"
    fi
}

mmcv_works() { # compiled operators load against the installed torch, in the pinned version
    "$VPY" - "$(pin mmcv)" >"$VENV/setup-mmcv-check.log" 2>&1 <<'PYTHON'
import sys

import mmcv
import torch
from mmcv.ops import nms

assert mmcv.__version__ == sys.argv[1], f"mmcv {mmcv.__version__} instead of {sys.argv[1]}"
boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0], [1.0, 1.0, 10.0, 10.0], [20.0, 20.0, 30.0, 30.0]])
_, kept = nms(boxes, torch.tensor([0.5, 0.9, 0.1]), iou_threshold=0.5)
assert kept.tolist() == [1, 2], kept
PYTHON
}

precompile_torch_header() { # print the CFLAGS that use it
    # Half of the compilers' time goes into torch's headers, which all of mmcv's 200 files include.
    # The flags have to be those that setuptools will use, or the compilers pass the header over.
    local header="$SCRATCH/torch_pch.h" includes
    printf '#include <torch/types.h>\n#include <torch/library.h>\n' >"$header"
    includes="$("$VPY" -c '
import shlex, sysconfig
from torch.utils.cpp_extension import include_paths
print(shlex.join("-I" + path for path in [*include_paths(), sysconfig.get_path("include")]))' 2>"$VENV/setup-mmcv.log")"
    eval "$CXX" -O0 -w -std=c++17 -fPIC -DTORCH_API_INCLUDE_EXTENSION_H -DTORCH_EXTENSION_NAME=_ext \
        "$includes" -x c++-header '"$header"' -o '"$header.gch"'
    printf '%s' "-O0 -w -Winvalid-pch -include $header"
}

compile_mmcv() {
    # Its operators run in none of ProCrop's own paths, so -O0 costs nothing and saves minutes.
    local flags="-O0 -w"
    if ! eval "$CXX" --version 2>/dev/null | grep -qi clang; then # clang has another kind of precompiled header
        flags="$(CUDA_VISIBLE_DEVICES='' precompile_torch_header)" || die "torch's headers do not compile with $CXX; see the lines above (g++ 11 or newer is known to work)"
    fi
    # no cache: a wheel that uv built earlier may have been built against another torch
    quietly "compiling mmcv (2 to 4 minutes on two cores)" setup-mmcv \
        env CUDA_VISIBLE_DEVICES= FORCE_CUDA=0 MMCV_WITH_OPS=1 MAX_JOBS="${MAX_JOBS:-$(nproc)}" \
        CFLAGS="$flags" PATH="$VENV/bin:$PATH" \
        "$VENV/bin/uv" pip install --python "$VPY" --no-build-isolation --no-deps --no-cache --no-binary mmcv \
        --reinstall-package mmcv "mmcv==$(pin mmcv)" ||
        die "mmcv did not compile; the log is $VENV/setup-mmcv.log (short of memory? MAX_JOBS=1 make setup)"
}

install_mmcv() {
    if mmcv_works; then return 0; fi
    # its own dependencies, those of mmengine but for one or two small ones
    uv_install --quiet addict pyyaml yapf || die "mmcv's dependencies could not be installed; check the network and run this again"
    if [ -n "$WHEELS" ]; then
        say "      mmcv's wheel from $WHEELS"
        uv_install --quiet --no-index --find-links "$WHEELS" --no-deps --reinstall-package mmcv "mmcv==$(pin mmcv)" || true
        if mmcv_works; then return 0; fi
        say "      that wheel does not fit the installed torch: mmcv is compiled instead"
        check_compiler
    fi
    compile_mmcv
    mmcv_works || { tail -n 5 "$VENV/setup-mmcv-check.log" >&2 && die "mmcv compiled but does not load; remove .venv and run this again: rm -rf $VENV"; }
}

install_procrop() {
    uv_install --quiet --no-deps --no-build-isolation --editable . || die "ProCrop itself could not be installed; see the lines above"
}

compile_modules() { # where Python may not keep bytecode, each process would compile thousands of modules anew
    [ -z "${PYTHONDONTWRITEBYTECODE:-}" ] || "$VPY" -m compileall -q -j 0 "$VENV/lib" >/dev/null 2>&1 || true
}

finish() { # the stamp appears whole or not at all
    "$VPY" -c 'import mmdet, procrop, torch, torchvision' || die "the installed packages do not import; remove .venv and run this again: rm -rf $VENV"
    key >"$STAMP.new"
    mv "$STAMP.new" "$STAMP"
}

main() {
    if is_finished; then
        say "already done"
        return 0
    fi
    # two set-ups at once take turns; the lock is on this file, so nothing is left behind
    if command -v flock >/dev/null 2>&1; then
        exec 9<"${BASH_SOURCE[0]}"
        flock 9 || true
        if is_finished; then
            say "already done"
            return 0
        fi
    fi
    check_python
    WHEELS="$(find_wheel_folder)" || check_compiler
    check_disk
    rm -f "$STAMP"
    step 1 "virtual environment"
    make_venv
    uv_settings
    rm -rf "$VENV"/setup.?????? # what a killed set-up left
    SCRATCH="$(mktemp -d "$VENV/setup.XXXXXX")"
    step 2 "packages: torch $(pin torch) and the rest of requirements.txt (about 3 GB to download, once)"
    install_packages
    step 3 "mmcv $(pin mmcv) with its operators"
    install_mmcv
    step 4 "procrop, editable"
    install_procrop
    step 5 "check that it imports"
    compile_modules
    finish
    step 6 "done"
}

main
