#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
#
# The shared libraries that Open3D's ray caster links to and a bare machine may lack. Installs
# them with apt when it may, otherwise prints the one line to run.
set -euo pipefail

declare -A package_of=(
  [libEGL.so.1]=libegl1
  [libGL.so.1]=libgl1
  [libX11.so.6]=libx11-6
  [libgomp.so.1]=libgomp1
  [libusb-1.0.so.0]=libusb-1.0-0
)

missing=()
for library in "${!package_of[@]}"; do
  "${PYTHON:-python3}" -c 'import ctypes, sys; ctypes.CDLL(sys.argv[1])' "$library" 2>/dev/null \
    || missing+=("${package_of[$library]}")
done
[[ ${#missing[@]} -eq 0 ]] && exit 0

if [[ $(id -u) -eq 0 ]] && command -v apt-get >/dev/null; then
  echo "installing system libraries: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends "${missing[@]}"
  exit 0
fi
echo "missing system libraries; run this once, then make again:" >&2
echo "  sudo apt-get install -y --no-install-recommends ${missing[*]}" >&2
exit 1
