/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints for perf and bpftrace: tcp_close_wait:cw_enter, cw_leave, cw_reap.
 * IPv4 addresses are shown in their IPv6-mapped form, as inet_sock_set_state
 * does in saddrv6 and daddrv6.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM tcp_close_wait

#if !defined(CW_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define CW_TRACE_H

#include <linux/tracepoint.h>
#include <net/ipv6.h>
#include <net/net_namespace.h>

#include "flow.h"

#ifndef CW_TRACE_ADDR
#define CW_TRACE_ADDR
static inline void cw_trace_addr(u8 *to, u16 family, const union cw_addr *addr)
{
	struct in6_addr ip6;

	if (family == AF_INET6)
		ip6 = addr->ip6;
	else
		ipv6_addr_set_v4mapped(addr->ip, &ip6);
	memcpy(to, &ip6, sizeof(ip6));
}
#endif

/* The three differ in the last field alone. */
#define CW_SPELL_EVENT(name, last, fmt)					\
TRACE_EVENT(name,							\
	TP_PROTO(const struct sock *sk, const struct cw_flow *flow,	\
		 u64 age_ns, int last),					\
	TP_ARGS(sk, flow, age_ns, last),				\
	TP_STRUCT__entry(						\
		__field(const void *, skaddr)				\
		__field(u64, age_ns)					\
		__field(u32, netns)					\
		__field(u16, family)					\
		__field(u16, sport)					\
		__field(u16, dport)					\
		__array(u8, saddrv6, 16)				\
		__array(u8, daddrv6, 16)				\
		__field(int, last)					\
	),								\
	TP_fast_assign(							\
		__entry->skaddr = sk;					\
		__entry->age_ns = age_ns;				\
		__entry->netns = sock_net(sk)->ns.inum;			\
		__entry->family = flow->family;				\
		__entry->sport = flow->lport;				\
		__entry->dport = flow->rport;				\
		cw_trace_addr(__entry->saddrv6, flow->family, &flow->local); \
		cw_trace_addr(__entry->daddrv6, flow->family, &flow->remote); \
		__entry->last = last;					\
	),								\
	TP_printk(fmt, __entry->netns, __entry->saddrv6, __entry->sport, \
		  __entry->daddrv6, __entry->dport, __entry->age_ns,	\
		  __entry->last)					\
)

/* A spell begins; age_ns is 0, or a lower bound if a walk found the socket. */
CW_SPELL_EVENT(cw_enter, exact,
	       "netns=%u [%pI6c]:%u > [%pI6c]:%u age_ns=%llu exact=%d");

/* A spell ends, for whatever reason, and the socket goes to a new state. */
CW_SPELL_EVENT(cw_leave, newstate,
	       "netns=%u [%pI6c]:%u > [%pI6c]:%u age_ns=%llu newstate=%d");

/* A spell was ended by us; the application sees the error. */
CW_SPELL_EVENT(cw_reap, error,
	       "netns=%u [%pI6c]:%u > [%pI6c]:%u age_ns=%llu error=%d");

#endif /* CW_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
