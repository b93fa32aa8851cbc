# shellcheck shell=bash
# Shared by the scripts of this directory: messages, host packages, the cache,
# and a private apt per suite that the host's own apt configuration feeds.

vm_dir=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck disable=SC2034 # used by the scripts that source this
top_dir=$(cd -- "$vm_dir/../.." && pwd)
cache=${CW_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/tcp_close_wait}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# Hours that an answer of the archive is believed before it is asked again.
refresh_hours=${CW_REFRESH_HOURS:-24}

say() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
}

die() {
	say "error: $*"
	exit 125
}

# usage: print the leading comment of the calling script
usage() {
	sed -n '2,/^[^#]/{/^#/!d;s/^# \{0,1\}//;p}' "$0"
}

need_root() {
	[[ $(id -u) == 0 ]] || die "needs root (packages, chroots, mounts)"
}

# quietly LOG WHAT COMMAND...: run with the output in LOG, shown on failure only
quietly() {
	local log=$1 what=$2
	shift 2
	say "$what ..."
	if ! "$@" >"$log" 2>&1 </dev/null; then
		tail -n 15 -- "$log" >&2
		die "$what: failed"
	fi
}

# need COMMAND=PACKAGE...: install the packages of the commands that are missing
need() {
	local pair pkgs=()
	for pair; do
		PATH=$PATH:/usr/sbin:/sbin command -v "${pair%%=*}" >/dev/null ||
			pkgs+=("${pair#*=}")
	done
	install_host_packages "${pkgs[@]}"
}

# install_host_packages PACKAGE...: apt-get install what the host lacks
install_host_packages() {
	local pkg missing=() log
	for pkg; do
		[[ $(dpkg-query -W -f '${db:Status-Status}' "$pkg" 2>/dev/null) == installed ]] ||
			missing+=("$pkg")
	done
	[[ ${#missing[@]} -gt 0 ]] || return 0
	need_root
	log=$(mktemp)
	say "installing on this machine: ${missing[*]}"
	if ! apt_install "${missing[@]}" >"$log" 2>&1 </dev/null; then
		apt-get update >>"$log" 2>&1 </dev/null || true
		if ! apt_install "${missing[@]}" >"$log" 2>&1 </dev/null; then
			tail -n 5 -- "$log" >&2
			rm -f -- "$log"
			die "cannot install ${missing[*]}: is the Debian archive reachable?"
		fi
	fi
	rm -f -- "$log"
}

apt_install() {
	DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
		-o DPkg::Lock::Timeout=600 "$@"
}

# lock NAME: hold $cache/NAME.lock until this process ends
lock() {
	local fd
	mkdir -p -- "$cache/locks" || die "cannot create $cache"
	exec {fd}>"$cache/locks/$1"
	if ! flock -n "$fd"; then
		say "waiting for another run ($1)"
		flock "$fd"
	fi
}

# host_sites: what the host's apt reads, as lines "SITE RELEASE"
host_sites() {
	# shellcheck disable=SC2016 # apt's own variables
	apt-get indextargets --format '$(SITE) $(RELEASE)' 'Created-By: Packages' | sort -u
}

# site main|security: base address of the archive in the host's configuration
site() {
	local sites
	sites=$(host_sites)
	[[ -n $sites ]] || { apt-get update >/dev/null 2>&1; sites=$(host_sites); }
	awk -v want="$1" '
	$2 ~ /-security$/ && want == "security" { print $1; exit }
	$2 ~ /^(bullseye|bookworm|trixie|forky|duke|sid|testing|(old)*stable|unstable)$/ &&
	$1 !~ /security/ && want == "main" { print $1; exit }' <<<"$sites"
}

# suite_sources SUITE: apt lines of a suite with its security updates
suite_sources() {
	local suite=$1 base=${1%-backports} main security
	main=$(site main)
	security=$(site security)
	[[ -n $main ]] || die "this machine's apt knows no Debian archive"
	: "${security:=${main%/debian}/debian-security}"
	echo "deb [signed-by=$keyring] $main $base main"
	if [[ $base != sid ]]; then
		echo "deb [signed-by=$keyring] $security $base-security main"
	fi
	if [[ $base != "$suite" ]]; then
		echo "deb [signed-by=$keyring] $main $suite main"
	fi
}

# suite_apt SUITE TOOL ARGS...: an apt tool on the private state of a suite
suite_apt() {
	local dir=$cache/apt/$1 tool=$2 release=''
	[[ $1 != *-backports ]] || release=$1
	shift 2
	# without a default, packages of backports give way to the suite's own
	"$tool" -q -o Dir="$dir" -o Dir::State::status="$dir/status" \
		-o APT::Default-Release="$release" \
		-o Dir::Etc::sourcelist="$dir/sources.list" \
		-o APT::Architecture=amd64 -o APT::Architectures=amd64 \
		-o Acquire::Check-Valid-Until=false -o Acquire::Languages=none \
		-o APT::Sandbox::User=root "$@"
}

# suite_update SUITE: have lists of the suite that are not older than a day.
# Without the network, old lists serve: what they name may still be cached.
suite_update() {
	local suite=$1 dir=$cache/apt/$1 log fd
	mkdir -p -- "$dir"/{etc/apt/apt.conf.d,etc/apt/preferences.d,lists/partial} \
		"$dir"/{var/lib/apt/lists/partial,var/cache/apt/archives/partial} \
		"$cache/locks" || die "cannot write to $dir"
	[[ -z $(find "$dir/updated" -mmin "-$((refresh_hours * 60))" 2>/dev/null) ]] || return 0
	exec {fd}>"$cache/locks/apt-$suite"
	flock "$fd"
	if [[ -z $(find "$dir/updated" -mmin "-$((refresh_hours * 60))" 2>/dev/null) ]]; then
		: >>"$dir/status"
		suite_sources "$suite" >"$dir/sources.list.new"
		mv -- "$dir/sources.list.new" "$dir/sources.list"
		log=$dir/update.log
		say "asking the archive for $suite ..."
		if suite_apt "$suite" apt-get update --error-on=any >"$log" 2>&1 </dev/null; then
			rm -rf -- "$dir/memo"
			touch -- "$dir/updated"
		elif [[ -e $dir/updated ]]; then
			say "the archive does not answer, going on with what it said before"
		else
			tail -n 3 -- "$log" >&2
			die "cannot get the package lists of $suite: is the network up?"
		fi
	fi
	exec {fd}>&-
}

# memo SUITE KEY COMMAND...: the command's output, remembered until the next update
memo() {
	local file=${2//[^a-zA-Z0-9.-]/_} out
	[[ ${#file} -le 100 ]] || file=${file:0:80}-$(sha256sum <<<"$2" | cut -c 1-12)
	file=$cache/apt/$1/memo/$file
	shift 2
	if [[ ! -s $file ]]; then
		out=$("$@") || return 1
		mkdir -p -- "${file%/*}"
		printf '%s\n' "$out" >"$file.$$"
		mv -- "$file.$$" "$file"
	fi
	cat -- "$file"
}

# real_package SUITE META: the package with a version in its name that META pulls in
real_package() {
	suite_apt "$1" apt-cache --no-all-versions show "$2" 2>/dev/null |
		sed -n 's/^Depends: *//p' | tr ',' '\n' |
		grep -oE 'linux-(image|headers)-[0-9][^ ]*' | head -n 1
}

# candidates SUITE PACKAGE...: lines "package version" of what would be installed
candidates() {
	suite_apt "$1" apt-cache policy "${@:2}" |
		awk '/^[^ ]/ { p = $1; sub(/:$/, "", p) } $1 == "Candidate:" && $2 != "(none)" { print p, $2 }'
}

# candidates_key SUITE PACKAGE...: twelve characters that change with any version
candidates_key() {
	local list
	list=$(candidates "$@")
	[[ -n $list ]] || return 1
	sha256sum <<<"${*:2} $list" | cut -c 1-12
}

# download SUITE PACKAGE DIR: the .deb into DIR; prints its path
download() {
	local suite=$1 pkg=$2 dir=$3
	say "downloading $pkg ($suite) ..."
	if ! (cd -- "$dir" && suite_apt "$suite" apt-get download "$pkg") >"$dir/download.log" 2>&1; then
		tail -n 3 -- "$dir/download.log" >&2
		die "cannot download $pkg"
	fi
	rm -f -- "$dir/download.log"
	find "$dir" -name '*.deb'
}

# bootstrap SUITE TARGET LOG PACKAGES [OPTION...]: a chroot by mmdebstrap
bootstrap() {
	local suite=$1 target=$2 log=$3 packages=$4 line opts=()
	shift 4
	# the host's proxy, if it has one, is in force for chroots too
	while IFS= read -r line; do
		opts+=("--aptopt=$line")
	done < <(apt-config dump | grep -iE '^Acquire::https?::Proxy ')
	[[ $suite != *-backports ]] || opts+=("--aptopt=APT::Default-Release \"$suite\"")
	say "making a $suite system with: ${packages//,/ } ..."
	if ! mmdebstrap --mode=root --architectures=amd64 --include="$packages" \
		--aptopt='Acquire::Check-Valid-Until "false"' \
		--aptopt='Acquire::Languages "none"' \
		--dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/info/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		"${opts[@]}" "$@" "${suite%-backports}" "$target" \
		"$cache/apt/$suite/sources.list" >"$log" 2>&1 </dev/null; then
		tail -n 15 -- "$log" >&2
		die "mmdebstrap failed, the whole log is $log"
	fi
}

# in_root ROOT COMMAND...: chroot with /proc and /dev, in namespaces of its own,
# so that neither a mount nor a process can be left behind, whatever happens
in_root() {
	# shellcheck disable=SC2016 # expanded by the inner shell
	unshare --mount --pid --fork --kill-child --propagation private sh -ec '
		root=$1; shift
		mount -t proc proc "$root/proc"
		mount --rbind /dev "$root/dev"
		exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin \
			HOME=/root LC_ALL=C.UTF-8 "$@"' in_root "$@"
}

# use ROOT: keep others from removing the chroot while this runs
use() {
	local fd
	mkdir -p -- "$cache/locks"
	exec {fd}>"$cache/locks/use-${1##*/}"
	flock -s "$fd"
}

# fresh_copy ROOT [SUBDIR]: the work tree as git sees it, in a new directory of the
# chroot, or in SUBDIR of it; sets $copy, that directory. Who calls this removes
# it with remove_copies at the end.
copies=()
fresh_copy() {
	mkdir -p -- "$1/build"
	copy=$(mktemp -d "$1/build/XXXXXX")
	copies+=("$copy")
	mkdir -p -- "$copy/${2:-.}"
	work_tree "$copy/${2:-.}"
}

# work_tree DIR: a copy of the work tree as git sees it, into DIR
work_tree() {
	(cd -- "$top_dir" && git ls-files -z -co --exclude-standard |
		while IFS= read -rd '' file; do [[ ! -e $file ]] || printf '%s\0' "$file"; done |
		tar -c --null -T - -f -) | tar -xf - --no-same-owner -C "$1"
}

remove_copies() {
	[[ ${#copies[@]} == 0 ]] || rm -rf --one-file-system -- "${copies[@]}"
}
