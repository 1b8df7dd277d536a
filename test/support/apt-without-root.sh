# To be sourced. Fetches Debian packages with apt, without root, into a folder: apt_begin FOLDER, then PACKAGES with apt_unpack or,
# with what they need, with apt_unpack_missing.
# Leaves $abs, the folder's full path, and $apt_options; what is unpacked lies below $abs/root.

apt_begin() {
  mkdir -p "$1/apt/lists/partial" "$1/apt/cache/archives/partial" "$1/root"
  abs=$(cd "$1" && pwd)
  apt_options="-o Dir::State=$abs/apt -o Dir::State::status=/var/lib/dpkg/status -o Dir::Cache=$abs/apt/cache -o Debug::NoLocking=1 -o APT::Sandbox::User=$(id -un)"
  apt-get $apt_options -qq update >&2
}

apt_unpack() {
  (cd "$abs/apt" && apt-get $apt_options -qq download "$@" >&2)
  for d in "$abs"/apt/*.deb; do dpkg -x "$d" "$abs/root"; done
  rm -rf "$abs/apt"
}

# The same with whatever the packages need and this system has not installed.
apt_unpack_missing() {
  apt-get $apt_options -qq -y --no-install-recommends --download-only install "$@" >&2
  for d in "$abs"/apt/cache/archives/*.deb; do dpkg -x "$d" "$abs/root"; done
  rm -rf "$abs/apt"
}
