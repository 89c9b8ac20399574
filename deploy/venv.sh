#!/usr/bin/env bash
# Makes .venv from requirements/dev.txt and installs this checkout in it, editable. Repeatable; does only what is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
exec 9<requirements/dev.txt
flock 9

fail() { echo "make venv: $*" >&2; exit 1; }

apt_install() { # apt_install PACKAGE...: as root only, else say what to type
  [ "$(id -u)" = 0 ] || fail "python3 with its venv module is missing. Run: sudo apt-get install $*"
  apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends "$@" >/dev/null
}

python3 -c 'import ensurepip, venv' 2>/dev/null || apt_install python3-venv
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  fail "Python 3.11 or newer is needed, python3 is $(python3 -V 2>&1). Put a newer python3 first on PATH."

wanted=$(cat requirements/dev.txt <(python3 -V) | sha256sum)
if [ "$(cat .venv/.installed 2>/dev/null)" != "$wanted" ]; then
  [ -x .venv/bin/python ] && .venv/bin/python -c '' 2>/dev/null || python3 -m venv --clear .venv
  echo "make venv: installing the pinned packages (about a minute)"
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
  echo "$wanted" >.venv/.installed
fi
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
touch .venv/.stamp
