#!/bin/sh
# Prints the folder of initdb, postgres and pg_ctl: PG_BIN, the PATH, the usual places, and failing those one fetched with
# apt, without root, into node_modules/.cache. Exits 1 with advice where none can be had.
set -eu
dir=${1:-node_modules/.cache/postgres}
on_path=$(command -v initdb || :)
for b in "${PG_BIN:-}" "${on_path:+$(dirname "$on_path")}" /usr/lib/postgresql/*/bin /opt/homebrew/opt/postgresql*/bin \
  /usr/local/opt/postgresql*/bin "$dir"/root/usr/lib/postgresql/*/bin; do
  if [ -n "$b" ] && "$b/initdb" --version >/dev/null 2>&1 && "$b/postgres" --version >/dev/null 2>&1; then echo "$b"; exit 0; fi
done
if ! command -v apt-get >/dev/null || ! command -v dpkg >/dev/null; then
  echo "No PostgreSQL found. macOS: brew install postgresql. Otherwise install PostgreSQL, or set PG_BIN to its bin folder." >&2
  exit 1
fi
. "$(dirname "$0")/apt-without-root.sh"
apt_begin "$dir"
apt_unpack postgresql-15
for b in "$abs"/root/usr/lib/postgresql/*/bin; do
  "$b/postgres" --version >&2
  echo "$b"
done
