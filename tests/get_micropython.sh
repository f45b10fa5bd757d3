#!/bin/sh
# SPDX-License-Identifier: MIT
# Brings a 32-bit MicroPython (>= 1.25), whose object sizes are those of an ESP32, and prints its path.
# Nothing is installed: Debian's i386 packages are fetched with apt from the machine's own mirror,
# checked by apt's signatures, and unpacked into the cache folder beside a launcher.
set -eu

cache="${XDG_CACHE_HOME:-$HOME/.cache}/lamppost/micropython"
launcher="$cache/micropython"
works() { "$1" -c 'import sys; sys.exit(0 if sys.implementation.version[:2] >= (1, 25) and sys.maxsize < 2**31 else 1)' 2>/dev/null; }

if [ -x "$launcher" ] && works "$launcher"; then
    echo "$launcher"
    exit 0
fi
command -v apt-get >/dev/null || { echo "error: this script needs Debian's apt-get" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/tree" "$cache"
: > "$work/status"

# The mirror: the first URI of the machine's own apt sources that is a Debian archive.
mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null \
    | grep -v '^ *#' | grep -oE '(https?|file|mirror\+file|copy):[^] ]*/debian/?( |$)' | head -n 1 | tr -d ' ')
[ -n "$mirror" ] || { echo "error: no Debian mirror in the machine's apt sources" >&2; exit 1; }

apt() {
    apt-get -qq -y -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=- \
        -o Dir::State::lists="$work/lists" -o Dir::State::status="$work/status" \
        -o Dir::Cache="$work/cache" -o APT::Architecture=i386 -o APT::Architectures=i386 \
        -o APT::Install-Recommends=false -o APT::Sandbox::User=root -o Debug::NoLocking=1 \
        -o Acquire::Languages=none -o Acquire::Retries=3 "$@"
}

# trixie has 1.25; later releases serve as well, should the mirror not have trixie whole.
for release in trixie forky sid; do
    rm -rf "$work/lists" "$work/cache"
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $release main" > "$work/sources.list"
    apt update >"$work/log" 2>&1 && apt --download-only install micropython >>"$work/log" 2>&1 && break
    release=
done
[ -n "$release" ] || { echo "error: the mirror gave no i386 micropython; apt said:" >&2; tail -n 5 "$work/log" >&2; exit 1; }

for package in "$work"/cache/archives/*.deb; do
    dpkg-deb -x "$package" "$work/tree"
done
rm -rf "$cache/tree"
mv "$work/tree" "$cache/tree"
loader=$(find "$cache/tree" -name 'ld-linux.so.2' | head -n 1)
cat > "$launcher.new" <<LAUNCHER
#!/bin/sh
exec "$loader" --library-path "$cache/tree/usr/lib/i386-linux-gnu:$cache/tree/lib/i386-linux-gnu" "$cache/tree/usr/bin/micropython" "\$@"
LAUNCHER
chmod 755 "$launcher.new"
mv "$launcher.new" "$launcher"
works "$launcher" || { echo "error: the fetched MicroPython does not run on this machine" >&2; exit 1; }
echo "$launcher"
