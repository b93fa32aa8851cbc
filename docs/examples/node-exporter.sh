#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# usage: node-exporter.sh [DIR]
#
# Writes what tcp_close_wait knows of this network namespace to
# DIR/tcp_close_wait.prom (DIR is /var/lib/prometheus/node-exporter), for
# Prometheus' node_exporter and its --collector.textfile.directory. To be run from a
# timer or cron, once a minute, by whoever may write to DIR. If that fails, because
# the module is not loaded for example, there is no such file afterwards, and the
# exit status is not 0.
set -eu
export LC_ALL=C
dir=${1:-/var/lib/prometheus/node-exporter}
tables=${TABLES:-/proc/net/tcp_close_wait}
file=$dir/tcp_close_wait.prom

new=
trap 'rm -f ${new:+"$new"} "$file"' EXIT
trap 'exit 1' HUP INT TERM
new=$(mktemp "$dir/.tcp_close_wait.XXXXXX")
if ! [ -r "$tables/ports" ]; then
	echo "${0##*/}: no $tables/ports: is the module tcp_close_wait loaded?" >&2
	exit 1
fi
{
	# Columns are found by their names: new ones may be added.
	awk '
	NR == 1 {
		for (i = 1; i <= NF; i++)
			at[$i] = i
		classes = split("unaccepted sending unread unnoticed held", class)
		next
	}
	{
		port[NR] = "dir=\"" $at["dir"] "\",port=\"" $at["port"] "\""
		for (i = 1; i <= classes; i++)
			sockets[NR, i] = $at[class[i]]
		idle[NR] = $at["idle_max_ms"] / 1000
		age[NR] = $at["age_max_ms"] / 1000
	}
	END {
		print "# HELP tcp_close_wait_sockets Sockets in CLOSE_WAIT, by service port and class."
		print "# TYPE tcp_close_wait_sockets gauge"
		for (row = 2; row <= NR; row++)
			for (i = 1; i <= classes; i++)
				printf "tcp_close_wait_sockets{%s,class=\"%s\"} %s\n", \
					port[row], class[i], sockets[row, i]
		print "# HELP tcp_close_wait_idle_max_seconds Longest time without progress."
		print "# TYPE tcp_close_wait_idle_max_seconds gauge"
		for (row = 2; row <= NR; row++)
			printf "tcp_close_wait_idle_max_seconds{%s} %.3f\n", port[row], idle[row]
		print "# HELP tcp_close_wait_age_max_seconds Longest time in CLOSE_WAIT."
		print "# TYPE tcp_close_wait_age_max_seconds gauge"
		for (row = 2; row <= NR; row++)
			printf "tcp_close_wait_age_max_seconds{%s} %.3f\n", port[row], age[row]
	}' "$tables/ports"
	# The first four can go down again: entered and adopted, where max_tracked is
	# reached and another namespace is made room for.
	awk '
	NR > 1 {
		gauge = $1 ~ /^(sockets|inexact|entered|adopted)$/
		name = "tcp_close_wait_" ($1 == "sockets" ? "tracked" : $1) (gauge ? "" : "_total")
		printf "# HELP %s Row %s of the table stats.\n", name, $1
		printf "# TYPE %s %s\n%s %s\n", name, gauge ? "gauge" : "counter", name, $2
	}' "$tables/stats"
} >"$new"
chmod 644 "$new"
mv "$new" "$file"
trap - EXIT
