#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# usage: node-exporter.sh [DIR]
#
# Writes what tcp_close_wait knows of this network namespace to
# DIR/tcp_close_wait.prom (DIR is /var/lib/prometheus/node-exporter), for
# Prometheus' node_exporter and its --collector.textfile.directory. To be run from a
# timer or cron, once a minute, by whoever may write to DIR. Where the module is not
# loaded there is no such file afterwards, and the exit status is 1.
set -eu
export LC_ALL=C
dir=${1:-/var/lib/prometheus/node-exporter}
tables=${TABLES:-/proc/net/tcp_close_wait}
file=$dir/tcp_close_wait.prom

if ! [ -r "$tables/ports" ]; then
	rm -f "$file"
	echo "${0##*/}: no $tables/ports: is the module tcp_close_wait loaded?" >&2
	exit 1
fi
new=$(mktemp "$dir/.tcp_close_wait.XXXXXX")
trap 'rm -f "$new"' EXIT
{
	# Columns are found by their names: new ones may be added.
	awk '
	NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
	{
		port = "dir=\"" $at["dir"] "\",port=\"" $at["port"] "\""
		n = split("unaccepted sending unread unnoticed held", class)
		for (i = 1; i <= n; i++)
			sockets = sockets sprintf("tcp_close_wait_sockets{%s,class=\"%s\"} %s\n", \
				port, class[i], $at[class[i]])
		idle = idle sprintf("tcp_close_wait_idle_max_seconds{%s} %.3f\n", \
			port, $at["idle_max_ms"] / 1000)
		age = age sprintf("tcp_close_wait_age_max_seconds{%s} %.3f\n", \
			port, $at["age_max_ms"] / 1000)
	}
	END {
		printf "# HELP tcp_close_wait_sockets Sockets in CLOSE_WAIT, by service port and class.\n"
		printf "# TYPE tcp_close_wait_sockets gauge\n%s", sockets
		printf "# HELP tcp_close_wait_idle_max_seconds Longest time without progress.\n"
		printf "# TYPE tcp_close_wait_idle_max_seconds gauge\n%s", idle
		printf "# HELP tcp_close_wait_age_max_seconds Longest time in CLOSE_WAIT.\n"
		printf "# TYPE tcp_close_wait_age_max_seconds gauge\n%s", age
	}' "$tables/ports"
	awk '
	NR == 1 || $1 == "sockets" || $1 == "inexact" { next }
	{
		printf "# HELP tcp_close_wait_%s_total Row %s of the table stats.\n", $1, $1
		printf "# TYPE tcp_close_wait_%s_total counter\n", $1
		printf "tcp_close_wait_%s_total %s\n", $1, $2
	}' "$tables/stats"
} >"$new"
chmod 644 "$new"
mv "$new" "$file"
trap - EXIT
