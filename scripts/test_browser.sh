#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 selfdepth_ros contributors
# SPDX-License-Identifier: Apache-2.0
#
# Chromium, in which tests look at reports and at `selfdepth view`. Installs it with apt when it
# may; otherwise those tests are skipped, so nothing here ends with an error.
set -uo pipefail

command -v chromium chromium-browser >/dev/null && exit 0
if [[ $(id -u) -eq 0 ]] && command -v apt-get >/dev/null; then
  echo 'installing chromium for the tests'
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium && exit 0
fi
echo 'note: no chromium, the tests that need a browser are skipped; to run them:' >&2
echo '  sudo apt-get install -y --no-install-recommends chromium' >&2
exit 0
