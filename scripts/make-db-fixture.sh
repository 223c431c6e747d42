#!/bin/sh
# Makes tests/fixtures/db/schema-N.sqlite: a small database of schema N, as a
# gateway of that schema left it. Run it once when schema N ships, with a
# build of that commit, and never again: the file stands for the real ones.
#
#	scripts/make-db-fixture.sh N [BUILD_DIR]
set -eu

version=${1:?usage: make-db-fixture.sh VERSION [BUILD_DIR]}
build=${2:-build}
root=$(cd "$(dirname "$0")/.." && pwd)
out=$root/tests/fixtures/db/schema-$version.sqlite

if [ -e "$out" ]; then
	echo "$out exists; fixtures of shipped schemas are never made again" >&2
	exit 1
fi
mkdir -p "$(dirname "$out")"
ninja -C "$build" tests/unit/store/make_db_fixture
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
"$build/tests/unit/store/make_db_fixture" "$made/chela.sqlite"
found=$(sqlite3 "$made/chela.sqlite" "PRAGMA user_version")
if [ "$found" != "$version" ]; then
	echo "this build makes schema $found, not $version" >&2
	exit 1
fi
install -m 0644 "$made/chela.sqlite" "$out"
echo "made $out"
