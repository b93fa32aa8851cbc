/* SPDX-License-Identifier: GPL-2.0 */
/* The two ends of a connection. */
#ifndef CW_FLOW_H
#define CW_FLOW_H

#include <linux/in6.h>
#include <linux/types.h>
#include <net/sock.h>

/**
 * union cw_addr - an IPv4 or an IPv6 address
 * @ip: the former
 * @ip6: the latter
 */
union cw_addr {
	__be32 ip;
	struct in6_addr ip6;
};

/**
 * struct cw_flow - addresses and ports of a connection
 * @family: AF_INET or AF_INET6; says which member of the addresses holds
 * @lport: local port, in host order
 * @rport: remote port, in host order
 * @local: local address
 * @remote: remote address
 */
struct cw_flow {
	u16 family;
	u16 lport;
	u16 rport;
	union cw_addr local;
	union cw_addr remote;
};

/**
 * struct cw_endpoint - an address and port as users read it
 * @text: 127.0.0.1:80 or [::1]:80
 */
struct cw_endpoint {
	char text[sizeof("[0000:0000:0000:0000:0000:ffff:255.255.255.255]:65535")];
};

void cw_flow_read(struct cw_flow *flow, const struct sock *sk, u16 lport);
void cw_flow_local(const struct cw_flow *flow, struct cw_endpoint *ep);
void cw_flow_remote(const struct cw_flow *flow, struct cw_endpoint *ep);

#endif /* CW_FLOW_H */
