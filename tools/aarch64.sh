#!/bin/sh
# Runs Python as 64-bit ARM code under emulation, on Debian 12; docs/processors.md says what for.
#
#     tools/aarch64.sh FOLDER tests/digests.py --check
#     CPU=cortex-a57 tools/aarch64.sh FOLDER -m pytest tests/kernels/test_registry.py
#
# The first call puts into FOLDER, which needs a gigabyte: the emulator, arm64's Python 3.11 and wheels. Nothing is
# installed. Kernels are kept in FOLDER, too.
set -eu
mkdir -p "$1"
folder=$(realpath "$1")
shift
cd "$(dirname "$0")/.."

if [ ! -e "$folder/complete" ]; then
    host=$(dpkg --print-architecture)
    export APT_CONFIG="$folder/apt/conf"
    mkdir -p "$folder/apt/lists/partial" "$folder/apt/archives/partial" "$folder/packages"
    touch "$folder/apt/status"
    cat > "$APT_CONFIG" <<END
APT::Architecture "arm64";
APT::Architectures { "arm64"; "$host"; };
Dir::State "$folder/apt";
Dir::State::status "$folder/apt/status";
Dir::Cache "$folder/apt";
END
    apt-get -q update
    (cd "$folder/packages" && apt-get -q download "qemu-user-static:$host" libpython3.11-stdlib libpython3.11-minimal \
        python3.11-minimal libc6 libstdc++6 libgcc-s1 zlib1g libexpat1 libbz2-1.0 liblzma5 libffi8 libssl3 libuuid1)
    for package in "$folder"/packages/*_arm64.deb; do dpkg -x "$package" "$folder/root"; done
    dpkg -x "$folder"/packages/qemu-user-static_*.deb "$folder/emulator"
    python3 -m pip install -q --target "$folder/site" --upgrade --only-binary=:all: --python-version 3.11 \
        --platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 --platform manylinux_2_17_aarch64 \
        "$(grep -o 'numba>=[^"]*' pyproject.toml)" safetensors tqdm pytest hypothesis mpmath
    touch "$folder/complete"
fi

export PYTHONHOME="$folder/root/usr" PYTHONPATH="$folder/site:." FASTMLP_CACHE_DIR="$folder/kernels"
exec "$folder/emulator/usr/bin/qemu-aarch64-static" -cpu "${CPU:-max}" -L "$folder/root" \
    "$folder/root/usr/bin/python3.11" "$@"
