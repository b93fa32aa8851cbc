// SPDX-License-Identifier: GPL-2.0
/* The two ends of a connection. */
#include <linux/kernel.h>
#include <linux/string.h>
#include <net/inet_sock.h>

#include "compat/compat.h"
#include "flow.h"

/**
 * cw_flow_read() - the addresses and ports of a socket
 * @flow: gets them
 * @sk: a TCP socket that is not yet past its leave event: disconnecting clears
 *	the addresses and the remote port after it
 * @lport: its local port, which may be given back before that event
 */
void cw_flow_read(struct cw_flow *flow, const struct sock *sk, u16 lport)
{
	flow->family = READ_ONCE(sk->sk_family);	/* IPV6_ADDRFORM changes it */
	flow->lport = lport;
	flow->rport = ntohs(sk->sk_dport);
	if (flow->family == AF_INET6) {
		cw_addrs6_read(sk, &flow->local.ip6, &flow->remote.ip6);
		return;
	}
	flow->local.ip = sk->sk_rcv_saddr;
	flow->remote.ip = sk->sk_daddr;
}

static void flow_endpoint(struct cw_endpoint *ep, u16 family,
			  const union cw_addr *addr, u16 port)
{
	if (family == AF_INET6)
		scnprintf(ep->text, sizeof(ep->text), "[%pI6c]:%u", &addr->ip6,
			  port);
	else
		scnprintf(ep->text, sizeof(ep->text), "%pI4:%u", &addr->ip,
			  port);
}

/**
 * cw_flow_local() - the local address and port in text
 * @flow: the connection
 * @ep: gets the text
 */
void cw_flow_local(const struct cw_flow *flow, struct cw_endpoint *ep)
{
	flow_endpoint(ep, flow->family, &flow->local, flow->lport);
}

/**
 * cw_flow_remote() - the peer's address and port in text
 * @flow: the connection
 * @ep: gets the text
 */
void cw_flow_remote(const struct cw_flow *flow, struct cw_endpoint *ep)
{
	flow_endpoint(ep, flow->family, &flow->remote, flow->rport);
}
