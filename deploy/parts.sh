#!/usr/bin/env bash
# Puts real parts for the tests into .parts/bin: Mosquitto, InfluxDB 1, NATS, PostgreSQL, HAProxy, restic, OpenSSH and tcc, unpacked from Debian's packages so that no
# daemon starts and nothing on the machine changes. Chromium and GStreamer's RTSP server cannot be unpacked; as root they are installed.
# Cameras that others wrote in Python get a venv of their own, .parts/cameras. Repeatable.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/local/sbin:/usr/sbin
exec 9<deploy/parts.sh
flock 9

say() { echo "make parts: $*" >&2; }
fail() { say "$*"; exit 1; }
have() { [ -x ".parts/bin/$1" ] || command -v "$1" >/dev/null; }
is_root() { [ "$(id -u)" = 0 ]; }

packages=()
have mosquitto || packages+=(mosquitto)
have influxd || packages+=(influxdb)
have nats-server || packages+=(nats-server)
have haproxy || packages+=(haproxy)
have postgres || compgen -G "/usr/lib/postgresql/*/bin/postgres" >/dev/null || packages+=(postgresql-15)
have restic || packages+=(restic)
have sshd || packages+=(openssh-server)
have ssh || packages+=(openssh-client)
# Makes the library that stands in for a kernel's clock (kewang/bench/field_machine.py).
have tcc || packages+=(tcc)
# Nothing of it is started: it judges our units.
have systemd-analyze || packages+=(systemd)
chromium=have
have chromium || chromium=missing
gstreamer_packages=(gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad
  gstreamer1.0-plugins-ugly gstreamer1.0-rtsp)
# Debian's own Python alone has its bindings.
gstreamer_works() { /usr/bin/python3 -c 'import gi; gi.require_version("GstRtspServer", "1.0")' 2>/dev/null; }
cameras_wanted() { cat requirements/camera-servers.txt <(python3 -V) | sha256sum; }
gstreamer=have
gstreamer_works || gstreamer=missing
cameras=have
[ "$(cat .parts/cameras/.installed 2>/dev/null)" = "$(cameras_wanted)" ] || cameras=missing
film=have
[ -s .parts/film/vtest.avi ] || film=missing
[ "$chromium $gstreamer $cameras $film ${#packages[@]}" != "have have have have 0" ] || exit 0

command -v apt-get >/dev/null || fail "only Debian's packages are known here. Put mosquitto, influxd, nats-server, haproxy, postgres, restic, sshd, ssh, systemd-analyze, tcc and chromium on PATH yourself."

refresh_lists() {
  is_root || fail "the package lists are empty or old. Run: sudo apt-get update"
  apt-get -qq update
}

# The packages and those of their libraries that this machine lacks, as apt itself would install them.
with_missing_libraries() {
  apt-get install --simulate --no-install-recommends "$@" 2>/dev/null | awk '/^Inst / { print $2 }'
}

fetch() { # fetch FOLDER PACKAGE...
  local folder=$1 wanted
  wanted=$(with_missing_libraries "${@:2}") && [ -n "$wanted" ] || return 1
  # shellcheck disable=SC2086 # one word per package
  (cd "$folder" && apt-get -qq -o APT::Sandbox::User=root download $wanted)
}

wrap() { # wrap PROGRAM: a script in .parts/bin that runs it with the libraries beside it
  cat >".parts/bin/${1##*/}" <<WRAPPER
#!/bin/sh
root=\${0%/*}/../root
LD_LIBRARY_PATH=\$root/usr/lib/$multiarch:\$root/lib/$multiarch:\$root/lib/$multiarch/systemd exec "\$root/$1" "\$@"
WRAPPER
  chmod +x ".parts/bin/${1##*/}"
}

unpack() {
  mkdir -p .parts/bin .parts/root
  local downloads deb program multiarch folder
  multiarch=$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || echo "$(uname -m)-linux-gnu")
  downloads=$(mktemp -d)
  trap 'rm -rf "$downloads"' RETURN
  fetch "$downloads" "$@" || { refresh_lists && fetch "$downloads" "$@"; } || fail "could not fetch $* from Debian's packages"
  for deb in "$downloads"/*.deb; do dpkg -x "$deb" .parts/root; done
  for program in mosquitto mosquitto_passwd influxd nats-server haproxy postgres initdb restic sshd ssh ssh-keygen systemd-analyze tcc; do
    for folder in usr/sbin usr/bin usr/lib/postgresql/15/bin; do [ ! -x ".parts/root/$folder/$program" ] || wrap "$folder/$program"; done
  done
}

install_chromium() {
  is_root || { say "chromium is missing, which the screenshot tests need. Run: sudo apt-get install chromium"; return; }
  say "installing chromium (about a minute)"
  local install=(env DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends chromium fonts-dejavu-core)
  "${install[@]}" >/dev/null 2>&1 || { refresh_lists && "${install[@]}" >/dev/null; } || fail "could not install chromium"
}

install_gstreamer() {
  is_root || { say "GStreamer's RTSP server is missing, which the camera tests need. Run: sudo apt-get install ${gstreamer_packages[*]}"; return; }
  say "installing GStreamer's RTSP server (about a minute)"
  local install=(env DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends "${gstreamer_packages[@]}")
  "${install[@]}" >/dev/null 2>&1 || { refresh_lists && "${install[@]}" >/dev/null; } || fail "could not install GStreamer's RTSP server"
}

unpack_film() { # real footage of a fixed camera, for scenes that our own painter has no part in
  say "unpacking the film of a real camera into .parts/film (96 MB to fetch)"
  local folder=.parts/film.new
  rm -rf "$folder" && mkdir -p "$folder" .parts/film
  download() { (cd "$folder" && apt-get -qq -o APT::Sandbox::User=root download opencv-doc); }
  download || { refresh_lists && download; } || fail "could not fetch opencv-doc from Debian's packages"
  dpkg-deb --fsys-tarfile "$folder"/opencv-doc_*.deb | tar -xO ./usr/share/doc/opencv-doc/examples/data/vtest.avi >"$folder/vtest.avi"
  mv "$folder/vtest.avi" .parts/film/vtest.avi
  rm -rf "$folder"
}

install_cameras() {
  say "installing the simulated cameras of others into .parts/cameras (about a minute)"
  python3 -m venv --clear .parts/cameras
  .parts/cameras/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/camera-servers.txt
  cameras_wanted >.parts/cameras/.installed
}

[ "${#packages[@]}" = 0 ] || { say "unpacking ${packages[*]} into .parts"; unpack "${packages[@]}"; }
[ "$chromium" = have ] || install_chromium
[ "$gstreamer" = have ] || install_gstreamer
[ "$cameras" = have ] || install_cameras
[ "$film" = have ] || unpack_film
