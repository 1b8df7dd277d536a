#!/bin/sh
# Prints the path of promtool: PROMTOOL_BIN, the PATH, and failing those one fetched with apt, without root, into
# node_modules/.cache. Exits 1 with advice where none can be had.
set -eu
dir=${1:-node_modules/.cache/promtool}
for b in "${PROMTOOL_BIN:-}" "$(command -v promtool || :)" "$dir/promtool"; do
  if [ -n "$b" ] && "$b" --version >/dev/null 2>&1; then echo "$b"; exit 0; fi
done
if ! command -v apt-get >/dev/null || ! command -v dpkg >/dev/null; then
  echo "No promtool found. macOS: brew install prometheus. Otherwise install prometheus, or set PROMTOOL_BIN." >&2
  exit 1
fi
. "$(dirname "$0")/apt-without-root.sh"
apt_begin "$dir"
apt_unpack prometheus
mv "$abs/root/usr/bin/promtool" "$abs/promtool"
rm -rf "$abs/root"
"$abs/promtool" --version >&2
echo "$abs/promtool"
