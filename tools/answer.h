/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the kernel answers, taken out of its messages.
 *
 * Numbers are kept by the number of their attribute.  What this tool does not
 * know (from a newer module) is passed over, what is missing (from an older one)
 * is 0.
 */
#ifndef CW_ANSWER_H
#define CW_ANSWER_H

#include <stdbool.h>
#include <stdint.h>
#include <libmnl/libmnl.h>
#include <tcp_close_wait.h>

#define CW_DIRS		(TCP_CLOSE_WAIT_DIR_OUT + 1)
#define CW_CLASSES	(TCP_CLOSE_WAIT_CLASS_HELD + 1)

/**
 * struct cw_port - a direction and service port, its sockets added up
 * @v: the values
 * @netns: name of the namespace, NULL if it is the only one
 * @first: index of its first socket, if it was made of a list of them
 */
struct cw_port {
	uint64_t v[TCP_CLOSE_WAIT_A_PORT_MAX + 1];
	const char *netns;
	size_t first;
};

/**
 * struct cw_addr - address of a socket
 * @addr: in network byte order
 * @len: 4, 16, or 0 if the kernel did not tell
 */
struct cw_addr {
	uint8_t addr[16];
	uint8_t len;
};

struct cw_socket {
	uint64_t v[TCP_CLOSE_WAIT_A_SOCKET_MAX + 1];
	struct cw_addr local;
	struct cw_addr remote;
	const char *netns;
};

struct cw_stats {
	uint64_t v[TCP_CLOSE_WAIT_A_STATS_MAX + 1];
	uint64_t tracking;
	char version[64];
};

#define CW_REAPED_SHOWN 64

/**
 * struct cw_reaped - what a request to reap has done
 * @error: errno if it had to end early, else 0
 * @matched: how many sockets matched
 * @reaped: how many were reaped
 * @ports: how many ephemeral ports these have given back
 * @skipped: how many were left alone, by reason
 * @shown: the first that were reaped: inode and references to its file
 * @n_shown: how many of these there are
 */
struct cw_reaped {
	uint64_t error;
	uint64_t matched;
	uint64_t reaped;
	uint64_t ports;
	uint64_t skipped[TCP_CLOSE_WAIT_A_SKIPPED_MAX + 1];
	struct {
		uint64_t inode;
		uint64_t refs;
	} shown[CW_REAPED_SHOWN];
	unsigned int n_shown;
};

struct cw_event {
	struct cw_socket socket;
	uint64_t cause;
	uint64_t error;
};

/* Names of the values, as the tables in /proc have them; NULL for none. */
extern const char * const cw_port_keys[TCP_CLOSE_WAIT_A_PORT_MAX + 1];
extern const char * const cw_socket_keys[TCP_CLOSE_WAIT_A_SOCKET_MAX + 1];
extern const char * const cw_stats_keys[TCP_CLOSE_WAIT_A_STATS_MAX + 1];
extern const char * const cw_skipped_keys[TCP_CLOSE_WAIT_A_SKIPPED_MAX + 1];

/* Room for an address and a port as text. */
#define CW_ADDR_TEXT 64

const char *cw_dir_name(uint64_t dir);
const char *cw_class_name(uint64_t class);
const char *cw_tracking_name(uint64_t tracking);
const char *cw_cause_name(uint64_t cause);
const char *cw_addr_text(const struct cw_addr *addr, uint64_t port, char *buf);
uint64_t cw_socket_service(const struct cw_socket *sock);

bool cw_answer_uint(const struct nlattr *attr, uint64_t *value);
bool cw_answer_port(const struct nlmsghdr *nlh, struct cw_port *port);
bool cw_answer_socket(const struct nlmsghdr *nlh, struct cw_socket *sock);
bool cw_answer_stats(const struct nlmsghdr *nlh, struct cw_stats *stats);
bool cw_answer_reaped(const struct nlmsghdr *nlh, struct cw_reaped *reaped);
bool cw_answer_event(const struct nlmsghdr *nlh, struct cw_event *event);

#endif /* CW_ANSWER_H */
