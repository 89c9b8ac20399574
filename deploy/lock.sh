#!/usr/bin/env bash
# Writes requirements/dev.txt, edge.txt, camera.txt, enrol.txt, provisioning.txt, server.txt, build.txt and camera-servers.txt: exact versions with the hashes of every build of them
# (x86-64 and aarch64), without any address. Add --upgrade to take newer versions than the files already name.
set -euo pipefail
cd "$(dirname "$0")/.."

resolver=uv==0.13.9
[ -x .venv-lock/bin/uv ] || { python3 -m venv .venv-lock && .venv-lock/bin/pip install --quiet "$resolver"; }

resolve() { # resolve FILE SOURCE [OPTION]...
  .venv-lock/bin/uv pip compile "${@:2}" --output-file "requirements/$1.txt" --quiet \
    --no-config --universal --python-version 3.11 --generate-hashes --no-emit-package kewang \
    --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"
}

lock() { # lock EXTRA [OPTION]...
  resolve "$1" pyproject.toml --extra "$1" "${@:2}"
}

lock dev "$@"
lock edge --constraints requirements/dev.txt
lock camera --constraints requirements/dev.txt
lock enrol --constraints requirements/dev.txt
lock provisioning --constraints requirements/dev.txt
# The image of deploy/Dockerfile: what runs in it, and what builds our wheel.
resolve server pyproject.toml --extra gateway --extra provisioning --extra dashboards --extra enrol --constraints requirements/dev.txt
resolve build requirements/build.in --constraints requirements/dev.txt
# Cameras of others, for the tests alone: their needs stay out of ours. opencv-python is the headless one with windows added.
resolve camera-servers requirements/camera-servers.in --no-emit-package opencv-python "$@"
