#!/bin/sh
# Prints the path of a Chromium: CHROMIUM_BIN, the PATH, and failing those Debian's, fetched with apt, without root, into
# node_modules/.cache together with the libraries that this system lacks. Exits 1 with advice where none can be had.
set -eu
dir=${1:-node_modules/.cache/chromium}
for b in "${CHROMIUM_BIN:-}" "$(command -v chromium || :)" "$(command -v chromium-browser || :)" \
  "$(command -v google-chrome || :)" "$dir/chromium"; do
  if [ -n "$b" ] && "$b" --version >/dev/null 2>&1; then echo "$b"; exit 0; fi
done
# Ubuntu's package of that name holds no browser.
if ! command -v apt-get >/dev/null || ! grep -qs '^ID=debian' /etc/os-release; then
  echo "No Chromium found, and no Debian to fetch one from. Install Chrome or Chromium, or set CHROMIUM_BIN." >&2
  exit 1
fi
. "$(dirname "$0")/apt-without-root.sh"
rm -rf "$dir"
apt_begin "$dir"
# A font as well: without one a page has no letters.
apt_unpack_missing chromium fonts-liberation
lib="$abs/root/usr/lib"
own=$(find "$lib" -name '*.so*' -exec dirname {} + | sort -u | tr '\n' ':')
# What is unpacked is nowhere that a program looks by itself.
cat >"$abs/fonts.conf" <<CONF
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <include ignore_missing="yes">/etc/fonts/fonts.conf</include>
  <dir>$abs/root/usr/share/fonts</dir>
  <cachedir>$abs/fonts</cachedir>
</fontconfig>
CONF
cat >"$abs/chromium" <<RUN
#!/bin/sh
export LD_LIBRARY_PATH="$own\${LD_LIBRARY_PATH:-}" FONTCONFIG_FILE="$abs/fonts.conf"
exec "$lib/chromium/chromium" "\$@"
RUN
chmod +x "$abs/chromium"
"$abs/chromium" --version >&2
echo "$abs/chromium"
