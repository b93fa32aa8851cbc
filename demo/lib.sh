# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Shared by the guest's scripts: telling, showing, waiting, and looking into the
# module's tables. Text goes to standard output, at most 80 columns wide.

cw=/proc/net/tcp_close_wait
# seconds that anything may take, on a machine that has a lot to do besides
patience=150

if [[ -n ${COLOUR:-} ]]; then
	heading=$'\e[1;36m' command=$'\e[1m' good=$'\e[1;32m' bad=$'\e[1;31m' plain=$'\e[0m'
else
	heading='' command='' good='' bad='' plain=''
fi
steps=0

# step TEXT: a heading
step() {
	steps=$((steps + 1))
	printf '\n%s== %d. %s%s\n' "$heading" "$steps" "$*" "$plain"
}

# tell TEXT: sentences
tell() {
	printf '\n%s\n' "$*" | fmt -w 80 -g 78
}

# ok TEXT: something that was claimed and has been looked at
ok() {
	printf '%sok: %s%s\n' "$good" "$*" "$plain"
}

# fail TEXT: the end, with the evidence that stage.sh has
fail() {
	printf '\n%sdemo: FAILED: %s%s\n' "$bad" "$*" "$plain"
	evidence
	exit 1
}

# show COMMAND: print a line as one would type it, run it, print what it says
show() {
	printf '\n%s$ %s%s\n' "$command" "$1" "$plain"
	eval "$1" 2>&1 || fail "this command ended with status $?"
}

# show_error TEXT COMMAND: the same for a command that fails and says TEXT
show_error() {
	local said
	printf '\n%s$ %s%s\n' "$command" "$2" "$plain"
	if said=$(eval "$2" 2>&1) || [[ $said != *"$1"* ]]; then
		fail "this command did not fail with \"$1\": $said"
	fi
	printf '%s\n' "$said"
}

# wait_for WHAT COMMAND...: until COMMAND succeeds, for $patience seconds
wait_for() {
	local end=$((SECONDS + patience)) what=$1
	shift
	until "$@"; do
		[[ $SECONDS -lt $end ]] || fail "not within $patience seconds: $what"
		sleep 0.2
	done
}

# check WHAT COMMAND...: COMMAND succeeds, or that was it. It has some seconds:
# visitors come and go, and each is in CLOSE_WAIT for a moment.
check() {
	local patience=5
	wait_for "$@"
	ok "$1"
}

# is NUMBER COMMAND..., least NUMBER COMMAND...: what COMMAND prints is (at
# least) NUMBER
is() {
	[[ $("${@:2}") == "$1" ]]
}

least() {
	[[ $("${@:2}") -ge $1 ]]
}

# port_cell DIR PORT COLUMN: a number of the table of ports, 0 if it has no such row
port_cell() {
	awk -v d="$1" -v p="$2" -v c="$3" '
	NR == 1 { for (i = 1; i <= NF; i++) if ($i == c) k = i; next }
	$1 == d && $2 == p { n = $k }
	END { print n + 0 }' "$cw/ports"
}

# stat_cell NAME: a counter of the namespace
stat_cell() {
	awk -v n="$1" '$1 == n { print $2 }' "$cw/stats"
}

# socket_cells NAME DIR PORT [CLASS]: that column of the sockets of a service port,
# of a class or of all
socket_cells() {
	awk -v c="$1" -v d="$2" -v p=":$3\$" -v class="${4:-}" '
	NR == 1 { for (i = 1; i <= NF; i++) k[$i] = i; next }
	$k["dir"] == d && $(d == "in" ? k["local"] : k["remote"]) ~ p &&
	(class == "" || $k["class"] == class) { print $k[c] }' "$cw/sockets"
}

# close_wait [FILTER]: how many sockets in CLOSE_WAIT does ss see?
close_wait() {
	ss -Htn state close-wait "$@" | wc -l
}

# resets: connections that this kernel has reset since it was booted
resets() {
	nstat -asz TcpEstabResets | awk '$1 == "TcpEstabResets" { print $2 }'
}
