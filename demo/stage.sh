# shellcheck shell=bash disable=SC2034 # what guest uses
# SPDX-License-Identifier: GPL-2.0
# The guest's scenery: this host, a network of clients and a database host, each
# a network namespace, and the programs that run on them.

logs=/tmp/logs
here_lan=10.0.1.1
here_db=10.0.0.1
db=10.0.0.2

# how many connections are left by whom
readers=12 photos=4 office=2 late=3
# bytes of the shop's price list
price_list=14800000
# ephemeral ports of this host: few, so that running out of them can be seen
range='40001 40016'
pool=15
# seconds after which the database closes an idle connection
idle_limit=10

# link NAME HERE THERE: a network namespace and a cable to it
link() {
	ip netns add "$1"
	ip link add "${1}0" type veth peer name eth0 netns "$1"
	ip address add "$2/24" dev "${1}0"
	ip link set "${1}0" up
	ip -n "$1" address add "$3/24" dev eth0
	ip -n "$1" link set eth0 up
	ip -n "$1" link set lo up
}

# start NAME COMMAND...: in the background, its output in $logs/NAME.log; its
# process is ${pid[NAME]}
declare -A pid
start() {
	"${@:2}" >"$logs/$1.log" 2>&1 &
	pid[$1]=$!
}

# evidence: after a failure, what may tell why
evidence() {
	tail -n 5 -- "$logs"/*.log
	ss -tn
}

# says NAME TEXT: is it in the program's log?
says() {
	grep -qsFe "$2" -- "$logs/$1.log"
}

# finished NAME: wait for its end; it has to end well
finished() {
	wait "${pid[$1]}" || fail "$1 ended with status $?"
}

network() {
	mkdir -p "$logs"
	modprobe -a veth tcp_diag af_packet 2>/dev/null || true
	link lan "$here_lan" 10.0.1.2
	link db "$here_db" "$db"
	sysctl -qw "net.ipv4.ip_local_port_range=$range"
}

# database: MariaDB as Debian sets it up, on its own host, with less memory, less
# patience with idle clients, and its thread pool. (With a thread for each client
# MariaDB 10.11 ends idle connections by a RST, which leaves nothing behind. The
# thread pool closes them, as KILL, a restart, and most other servers do.)
database() {
	install -d -o mysql -g mysql /run/mysqld
	echo "CREATE USER shop@'%';" >/tmp/users.sql
	start database ip netns exec db mariadbd --user=mysql --skip-name-resolve \
		--bind-address="$db" --init-file=/tmp/users.sql \
		--thread-handling=pool-of-threads --wait-timeout="$idle_limit" \
		--innodb-buffer-pool-size=16M
}

# stock: a healthy user of the database, one connection in use until $logs/end
# exists; prints the connection's number each time
stock() {
	while [[ ! -e $logs/end ]] && sleep 0.2; do
		echo "SELECT CONNECTION_ID();"
	done | mariadb -h "$db" -u shop -BN --unbuffered
}

# tell_clients COMMAND...: see clients.py
tell_clients() {
	echo "$*" >&"$clients"
}

programs() {
	database
	start shop /payload/demo/shop.py "$here_lan" 8080 9090
	start orders /payload/demo/orders.py "$db" "$pool"
	mkfifo /tmp/clients
	exec {clients}<>/tmp/clients
	start clients ip netns exec lan /payload/demo/clients.py "$here_lan" /tmp/clients
}
