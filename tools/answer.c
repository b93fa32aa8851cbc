// SPDX-License-Identifier: GPL-2.0
#include <arpa/inet.h>
#include <linux/genetlink.h>
#include <stdio.h>
#include <string.h>

#include "answer.h"

const char * const cw_port_keys[TCP_CLOSE_WAIT_A_PORT_MAX + 1] = {
	[TCP_CLOSE_WAIT_A_PORT_DIR] = "dir",
	[TCP_CLOSE_WAIT_A_PORT_PORT] = "port",
	[TCP_CLOSE_WAIT_A_PORT_SOCKETS] = "sockets",
	[TCP_CLOSE_WAIT_A_PORT_UNACCEPTED] = "unaccepted",
	[TCP_CLOSE_WAIT_A_PORT_SENDING] = "sending",
	[TCP_CLOSE_WAIT_A_PORT_UNREAD] = "unread",
	[TCP_CLOSE_WAIT_A_PORT_UNNOTICED] = "unnoticed",
	[TCP_CLOSE_WAIT_A_PORT_HELD] = "held",
	[TCP_CLOSE_WAIT_A_PORT_RX_BYTES] = "rx_bytes",
	[TCP_CLOSE_WAIT_A_PORT_TX_BYTES] = "tx_bytes",
	[TCP_CLOSE_WAIT_A_PORT_AGE_MAX_MS] = "age_max_ms",
	[TCP_CLOSE_WAIT_A_PORT_IDLE_MAX_MS] = "idle_max_ms",
	[TCP_CLOSE_WAIT_A_PORT_LT_1S] = "lt_1s",
	[TCP_CLOSE_WAIT_A_PORT_LT_10S] = "lt_10s",
	[TCP_CLOSE_WAIT_A_PORT_LT_1M] = "lt_1m",
	[TCP_CLOSE_WAIT_A_PORT_LT_10M] = "lt_10m",
	[TCP_CLOSE_WAIT_A_PORT_LT_1H] = "lt_1h",
	[TCP_CLOSE_WAIT_A_PORT_GE_1H] = "ge_1h",
	[TCP_CLOSE_WAIT_A_PORT_INEXACT] = "inexact",
	[TCP_CLOSE_WAIT_A_PORT_REAPED] = "reaped",
};

const char * const cw_socket_keys[TCP_CLOSE_WAIT_A_SOCKET_MAX + 1] = {
	[TCP_CLOSE_WAIT_A_SOCKET_DIR] = "dir",
	[TCP_CLOSE_WAIT_A_SOCKET_LOCAL] = "local",
	[TCP_CLOSE_WAIT_A_SOCKET_REMOTE] = "remote",
	[TCP_CLOSE_WAIT_A_SOCKET_AGE_MS] = "age_ms",
	[TCP_CLOSE_WAIT_A_SOCKET_EXACT] = "exact",
	[TCP_CLOSE_WAIT_A_SOCKET_IDLE_MS] = "idle_ms",
	[TCP_CLOSE_WAIT_A_SOCKET_CLASS] = "class",
	[TCP_CLOSE_WAIT_A_SOCKET_RX_BYTES] = "rx_bytes",
	[TCP_CLOSE_WAIT_A_SOCKET_TX_BYTES] = "tx_bytes",
	[TCP_CLOSE_WAIT_A_SOCKET_UID] = "uid",
	[TCP_CLOSE_WAIT_A_SOCKET_INODE] = "inode",
	[TCP_CLOSE_WAIT_A_SOCKET_COOKIE] = "cookie",
	[TCP_CLOSE_WAIT_A_SOCKET_CGROUP] = "cgroup",
};

const char * const cw_stats_keys[TCP_CLOSE_WAIT_A_STATS_MAX + 1] = {
	[TCP_CLOSE_WAIT_A_STATS_SOCKETS] = "sockets",
	[TCP_CLOSE_WAIT_A_STATS_INEXACT] = "inexact",
	[TCP_CLOSE_WAIT_A_STATS_ENTERED] = "entered",
	[TCP_CLOSE_WAIT_A_STATS_ADOPTED] = "adopted",
	[TCP_CLOSE_WAIT_A_STATS_LEFT] = "left",
	[TCP_CLOSE_WAIT_A_STATS_REAPED_TIMEOUT] = "reaped_timeout",
	[TCP_CLOSE_WAIT_A_STATS_REAPED_REQUEST] = "reaped_request",
	[TCP_CLOSE_WAIT_A_STATS_OBSERVED] = "observed",
	[TCP_CLOSE_WAIT_A_STATS_SKIPPED_UNACCEPTED] = "skipped_unaccepted",
	[TCP_CLOSE_WAIT_A_STATS_SKIPPED_KERNEL] = "skipped_kernel",
	[TCP_CLOSE_WAIT_A_STATS_SKIPPED_MPTCP] = "skipped_mptcp",
	[TCP_CLOSE_WAIT_A_STATS_SKIPPED_ULP] = "skipped_ulp",
	[TCP_CLOSE_WAIT_A_STATS_DEFERRED_RATE] = "deferred_rate",
	[TCP_CLOSE_WAIT_A_STATS_DEFERRED_BUSY] = "deferred_busy",
	[TCP_CLOSE_WAIT_A_STATS_MISSED] = "missed",
	[TCP_CLOSE_WAIT_A_STATS_WALKS] = "walks",
	[TCP_CLOSE_WAIT_A_STATS_SPELL_LT_1MS] = "spell_lt_1ms",
	[TCP_CLOSE_WAIT_A_STATS_SPELL_LT_10MS] = "spell_lt_10ms",
	[TCP_CLOSE_WAIT_A_STATS_SPELL_LT_100MS] = "spell_lt_100ms",
	[TCP_CLOSE_WAIT_A_STATS_SPELL_LT_1S] = "spell_lt_1s",
	[TCP_CLOSE_WAIT_A_STATS_SPELL_LT_10S] = "spell_lt_10s",
	[TCP_CLOSE_WAIT_A_STATS_SPELL_LT_1M] = "spell_lt_1m",
	[TCP_CLOSE_WAIT_A_STATS_SPELL_LT_10M] = "spell_lt_10m",
	[TCP_CLOSE_WAIT_A_STATS_SPELL_LT_1H] = "spell_lt_1h",
	[TCP_CLOSE_WAIT_A_STATS_SPELL_GE_1H] = "spell_ge_1h",
};

const char * const cw_skipped_keys[TCP_CLOSE_WAIT_A_SKIPPED_MAX + 1] = {
	[TCP_CLOSE_WAIT_A_SKIPPED_UNACCEPTED] = "unaccepted",
	[TCP_CLOSE_WAIT_A_SKIPPED_KERNEL] = "kernel",
	[TCP_CLOSE_WAIT_A_SKIPPED_MPTCP] = "mptcp",
	[TCP_CLOSE_WAIT_A_SKIPPED_ULP] = "ulp",
	[TCP_CLOSE_WAIT_A_SKIPPED_BUSY] = "busy",
	[TCP_CLOSE_WAIT_A_SKIPPED_CHANGED] = "changed",
};

/* A newer module can have more than we know. */
static const char *name(const char * const *names, unsigned int n, uint64_t i)
{
	return i < n ? names[i] : "unknown";
}

const char *cw_dir_name(uint64_t dir)
{
	static const char * const names[] = {
		[TCP_CLOSE_WAIT_DIR_IN] = "in",
		[TCP_CLOSE_WAIT_DIR_OUT] = "out",
	};

	return name(names, MNL_ARRAY_SIZE(names), dir);
}

const char *cw_class_name(uint64_t class)
{
	static const char * const names[] = {
		[TCP_CLOSE_WAIT_CLASS_UNACCEPTED] = "unaccepted",
		[TCP_CLOSE_WAIT_CLASS_SENDING] = "sending",
		[TCP_CLOSE_WAIT_CLASS_UNREAD] = "unread",
		[TCP_CLOSE_WAIT_CLASS_UNNOTICED] = "unnoticed",
		[TCP_CLOSE_WAIT_CLASS_HELD] = "held",
	};

	return name(names, MNL_ARRAY_SIZE(names), class);
}

const char *cw_tracking_name(uint64_t tracking)
{
	static const char * const names[] = {
		[TCP_CLOSE_WAIT_TRACKING_EVENTS] = "events",
		[TCP_CLOSE_WAIT_TRACKING_WALK] = "walk",
	};

	return name(names, MNL_ARRAY_SIZE(names), tracking);
}

const char *cw_cause_name(uint64_t cause)
{
	static const char * const names[] = {
		[TCP_CLOSE_WAIT_CAUSE_TIMEOUT] = "timeout",
		[TCP_CLOSE_WAIT_CAUSE_REQUEST] = "request",
	};

	return name(names, MNL_ARRAY_SIZE(names), cause);
}

/**
 * cw_addr_text() - 127.0.0.1:80, or [::1]:80
 * @addr: address
 * @port: port
 * @buf: gets the text; CW_ADDR_TEXT bytes
 *
 * Return: @buf.
 */
const char *cw_addr_text(const struct cw_addr *addr, uint64_t port, char *buf)
{
	char text[INET6_ADDRSTRLEN] = "*";

	if (addr->len)
		inet_ntop(addr->len == 4 ? AF_INET : AF_INET6, addr->addr, text,
			  sizeof(text));
	snprintf(buf, CW_ADDR_TEXT, addr->len == 16 ? "[%s]:%u" : "%s:%u", text,
		 (unsigned int)port);
	return buf;
}

/**
 * cw_socket_service() - the service port of a socket
 * @sock: the socket
 *
 * Return: the local port, or the remote one if we are the client.
 */
uint64_t cw_socket_service(const struct cw_socket *sock)
{
	if (sock->v[TCP_CLOSE_WAIT_A_SOCKET_DIR] == TCP_CLOSE_WAIT_DIR_OUT)
		return sock->v[TCP_CLOSE_WAIT_A_SOCKET_REMOTE_PORT];
	return sock->v[TCP_CLOSE_WAIT_A_SOCKET_LOCAL_PORT];
}

/**
 * cw_answer_uint() - a number of any size
 * @attr: attribute
 * @value: gets it
 *
 * Return: false if it is none.
 */
bool cw_answer_uint(const struct nlattr *attr, uint64_t *value)
{
	switch (mnl_attr_get_payload_len(attr)) {
	case 1:
		*value = mnl_attr_get_u8(attr);
		return true;
	case 2:
		*value = mnl_attr_get_u16(attr);
		return true;
	case 4:
		*value = mnl_attr_get_u32(attr);
		return true;
	case 8:
		*value = mnl_attr_get_u64(attr);
		return true;
	}
	return false;
}

/* Takes attributes from @min, what comes before is padding, to @max. */
static bool numbers(const struct nlattr *nest, uint64_t *values,
		    unsigned int min, unsigned int max)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nest) {
		unsigned int type = mnl_attr_get_type(attr);

		if (type >= min && type <= max &&
		    !cw_answer_uint(attr, &values[type]))
			return false;
	}
	return true;
}

static bool address(const struct nlattr *attr, struct cw_addr *addr)
{
	addr->len = mnl_attr_get_payload_len(attr);
	if (addr->len != mnl_attr_get_payload_len(attr) ||
	    (addr->len != 4 && addr->len != 16))
		return false;
	memcpy(addr->addr, mnl_attr_get_payload(attr), addr->len);
	return true;
}

static bool read_socket(const struct nlattr *nest, struct cw_socket *sock)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nest) {
		unsigned int type = mnl_attr_get_type(attr);
		bool good = true;

		if (type == TCP_CLOSE_WAIT_A_SOCKET_LOCAL)
			good = address(attr, &sock->local);
		else if (type == TCP_CLOSE_WAIT_A_SOCKET_REMOTE)
			good = address(attr, &sock->remote);
		else if (type > TCP_CLOSE_WAIT_A_SOCKET_PAD &&
			 type <= TCP_CLOSE_WAIT_A_SOCKET_MAX)
			good = cw_answer_uint(attr, &sock->v[type]);
		if (!good)
			return false;
	}
	return true;
}

/**
 * cw_answer_port() - a row of the table of ports
 * @nlh: message of our family, long enough for its headers
 * @port: gets it
 *
 * Return: false if the message is malformed; so do the others here.
 */
bool cw_answer_port(const struct nlmsghdr *nlh, struct cw_port *port)
{
	const struct nlattr *attr;
	bool found = false;

	memset(port, 0, sizeof(*port));
	mnl_attr_for_each(attr, nlh, GENL_HDRLEN) {
		if (mnl_attr_get_type(attr) != TCP_CLOSE_WAIT_A_PORT)
			continue;
		if (!numbers(attr, port->v, TCP_CLOSE_WAIT_A_PORT_DIR,
			     TCP_CLOSE_WAIT_A_PORT_MAX))
			return false;
		found = true;
	}
	return found;
}

/**
 * cw_answer_socket() - a socket
 * @nlh: message of our family, long enough for its headers
 * @sock: gets it
 */
bool cw_answer_socket(const struct nlmsghdr *nlh, struct cw_socket *sock)
{
	const struct nlattr *attr;
	bool found = false;

	memset(sock, 0, sizeof(*sock));
	mnl_attr_for_each(attr, nlh, GENL_HDRLEN) {
		if (mnl_attr_get_type(attr) != TCP_CLOSE_WAIT_A_SOCKET)
			continue;
		if (!read_socket(attr, sock))
			return false;
		found = true;
	}
	return found;
}

/**
 * cw_answer_stats() - the counters, and what the module is
 * @nlh: message of our family, long enough for its headers
 * @stats: gets them
 */
bool cw_answer_stats(const struct nlmsghdr *nlh, struct cw_stats *stats)
{
	const struct nlattr *attr;

	memset(stats, 0, sizeof(*stats));
	mnl_attr_for_each(attr, nlh, GENL_HDRLEN) {
		bool good = true;

		switch (mnl_attr_get_type(attr)) {
		case TCP_CLOSE_WAIT_A_STATS:
			good = numbers(attr, stats->v,
				       TCP_CLOSE_WAIT_A_STATS_SOCKETS,
				       TCP_CLOSE_WAIT_A_STATS_MAX);
			break;
		case TCP_CLOSE_WAIT_A_TRACKING:
			good = cw_answer_uint(attr, &stats->tracking);
			break;
		case TCP_CLOSE_WAIT_A_MODULE_VERSION:
			snprintf(stats->version, sizeof(stats->version), "%.*s",
				 mnl_attr_get_payload_len(attr),
				 mnl_attr_get_str(attr));
			break;
		}
		if (!good)
			return false;
	}
	return true;
}

/* More than the kernel is known to show are left out. */
static bool reaped_socket(const struct nlattr *nest, struct cw_reaped *reaped)
{
	struct cw_socket sock = { 0 };
	unsigned int at = reaped->n_shown;

	if (!read_socket(nest, &sock))
		return false;
	if (at == CW_REAPED_SHOWN)
		return true;
	reaped->shown[at].inode = sock.v[TCP_CLOSE_WAIT_A_SOCKET_INODE];
	reaped->shown[at].refs = sock.v[TCP_CLOSE_WAIT_A_SOCKET_FILE_REFS];
	reaped->n_shown++;
	return true;
}

/**
 * cw_answer_reaped() - what a request to reap has done
 * @nlh: message of our family, long enough for its headers
 * @reaped: gets it
 */
bool cw_answer_reaped(const struct nlmsghdr *nlh, struct cw_reaped *reaped)
{
	const struct nlattr *attr;

	memset(reaped, 0, sizeof(*reaped));
	mnl_attr_for_each(attr, nlh, GENL_HDRLEN) {
		bool good = true;

		switch (mnl_attr_get_type(attr)) {
		case TCP_CLOSE_WAIT_A_MATCHED:
			good = cw_answer_uint(attr, &reaped->matched);
			break;
		case TCP_CLOSE_WAIT_A_REAPED:
			good = cw_answer_uint(attr, &reaped->reaped);
			break;
		case TCP_CLOSE_WAIT_A_ERROR:
			good = cw_answer_uint(attr, &reaped->error);
			break;
		case TCP_CLOSE_WAIT_A_PORTS_FREED:
			good = cw_answer_uint(attr, &reaped->ports);
			break;
		case TCP_CLOSE_WAIT_A_REAPED_SOCKET:
			good = reaped_socket(attr, reaped);
			break;
		case TCP_CLOSE_WAIT_A_SKIPPED:
			good = numbers(attr, reaped->skipped,
				       TCP_CLOSE_WAIT_A_SKIPPED_UNACCEPTED,
				       TCP_CLOSE_WAIT_A_SKIPPED_MAX);
			break;
		}
		if (!good)
			return false;
	}
	return true;
}

/**
 * cw_answer_event() - a socket that was reaped
 * @nlh: message of our family, long enough for its headers
 * @event: gets it
 */
bool cw_answer_event(const struct nlmsghdr *nlh, struct cw_event *event)
{
	const struct nlattr *attr;

	if (!cw_answer_socket(nlh, &event->socket))
		return false;
	event->cause = TCP_CLOSE_WAIT_CAUSE_TIMEOUT;
	event->error = 0;
	mnl_attr_for_each(attr, nlh, GENL_HDRLEN) {
		bool good = true;

		if (mnl_attr_get_type(attr) == TCP_CLOSE_WAIT_A_CAUSE)
			good = cw_answer_uint(attr, &event->cause);
		else if (mnl_attr_get_type(attr) == TCP_CLOSE_WAIT_A_ERROR)
			good = cw_answer_uint(attr, &event->error);
		if (!good)
			return false;
	}
	return true;
}
