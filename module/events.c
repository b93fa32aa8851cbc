// SPDX-License-Identifier: GPL-2.0
/*
 * The kernel's tracepoint inet_sock_set_state.  It is not exported, so it is
 * looked up by name; it lives in the kernel proper and never goes away.
 */
#include <linux/string.h>
#include <linux/tracepoint.h>
#include <net/tcp.h>
#include <trace/events/sock.h>

#include "events.h"
#include "tracker.h"

static struct tracepoint *state_tp;
static bool attached;

/*
 * Runs for every transition of every TCP, DCCP, SCTP and MPTCP socket, with the
 * socket locked and the new state not yet stored: mostly in softirq, for
 * close() and the like in process context; with preemption off up to 6.x.
 */
static void probe_set_state(void *unused, const struct sock *csk,
			    const int oldstate, const int newstate)
{
	struct sock *sk = (struct sock *)csk;

	if (likely(oldstate != TCP_CLOSE_WAIT && newstate != TCP_CLOSE_WAIT))
		return;
	if (sk->sk_protocol != IPPROTO_TCP || oldstate == newstate)
		return;
	if (newstate == TCP_CLOSE_WAIT)
		cw_track_enter(sk);
	else
		cw_track_leave(sk, newstate);
}

static void find_state_tp(struct tracepoint *tp, void *unused)
{
	if (!strcmp(tp->name, "inet_sock_set_state"))
		state_tp = tp;
}

/**
 * cw_events_attach() - start to hear of transitions
 *
 * A CPU that is past the tracepoint at this moment is not heard: what it does
 * is found by a walk some seconds later.
 *
 * Return: 0, -ENOENT if the kernel has no such tracepoint, or another error.
 */
int cw_events_attach(void)
{
	int err;

	check_trace_callback_type_inet_sock_set_state(probe_set_state);
	for_each_kernel_tracepoint(find_state_tp, NULL);
	if (!state_tp)
		return -ENOENT;
	err = tracepoint_probe_register(state_tp, probe_set_state, NULL);
	attached = !err;
	return err;
}

/**
 * cw_events_detach() - stop to hear of transitions
 *
 * When this returns, no CPU is in the probe any more.
 *
 * Context: process context, may sleep.
 */
void cw_events_detach(void)
{
	if (!attached)
		return;
	tracepoint_probe_unregister(state_tp, probe_set_state, NULL);
	tracepoint_synchronize_unregister();
	attached = false;
}

/**
 * cw_events_attached() - are ages exact, or is there only the walk?
 *
 * Return: the former.
 */
bool cw_events_attached(void)
{
	return attached;
}
