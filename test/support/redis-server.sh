#!/bin/sh
# Prints the path of a redis-server (or valkey-server): REDIS_SERVER_BIN, the PATH, the usual places, and failing
# those one fetched with apt, without root, into node_modules/.cache. Exits 1 with advice where none can be had.
set -eu
dir=${1:-node_modules/.cache/redis-server}
for b in "${REDIS_SERVER_BIN:-}" "$(command -v redis-server || :)" "$(command -v valkey-server || :)" \
  /usr/bin/redis-server /usr/bin/valkey-server \
  /opt/homebrew/bin/redis-server /opt/homebrew/bin/valkey-server /usr/local/bin/redis-server "$dir/redis-server"; do
  if [ -n "$b" ] && "$b" --version >/dev/null 2>&1; then echo "$b"; exit 0; fi
done
if ! command -v apt-get >/dev/null || ! command -v dpkg >/dev/null; then
  echo "No redis-server found. macOS: brew install valkey. Otherwise install redis, or set REDIS_SERVER_BIN." >&2
  exit 1
fi
. "$(dirname "$0")/apt-without-root.sh"
apt_begin "$dir"
libs=$(apt-cache $apt_options depends --no-recommends --no-suggests redis-tools | awk '/Depends: lib/{print $2}' | grep -v '^libc6$')
apt_unpack redis-tools $libs
ln -sf redis-check-rdb "$abs/root/usr/bin/redis-server" # Debian: one binary, argv[0] picks the tool
lib=$(dirname "$(find "$abs/root" -name 'libjemalloc.so.2' | head -1)")
printf '#!/bin/sh\nLD_LIBRARY_PATH="%s" exec "%s" "$@"\n' "$lib" "$abs/root/usr/bin/redis-server" >"$abs/redis-server"
chmod +x "$abs/redis-server"
"$abs/redis-server" --version >&2
echo "$abs/redis-server"
