// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "alloc.h"
#include "host.h"
#include "sockets.h"

#define SOCKET(name) TCP_CLOSE_WAIT_A_SOCKET_##name

/* The module in each of the namespaces that are followed. */
struct monitor {
	struct cw_nl *nls;
	const struct cw_netns **ns;
	struct cw_transport **transports;
	unsigned int n;
};

/* Whose events these are. */
struct source {
	struct cw *cw;
	const struct cw_netns *ns;
};

static int join_netns(struct cw *cw, const struct cw_netns *ns, void *arg)
{
	struct monitor *monitor = arg;
	struct cw_nl *nl = &monitor->nls[monitor->n];
	int status = cw_nl_open(nl, &cw->err);

	monitor->ns[monitor->n] = ns;
	monitor->transports[monitor->n++] = nl->transport;
	return status ? status : cw_nl_join(nl, &cw->err);
}

static void print_time(struct cw_out *out)
{
	time_t now = cw_host_time();
	char text[16] = "";
	struct tm tm;

	if (localtime_r(&now, &tm))
		strftime(text, sizeof(text), "%H:%M:%S", &tm);
	cw_out_number(out, "time", now, text, "{} ");
}

static bool print_event(const struct nlmsghdr *nlh, void *arg)
{
	const struct source *source = arg;
	struct cw_out *out = source->cw->out;
	struct cw_event event;

	if (!cw_answer_event(nlh, &event))
		return false;
	cw_out_object(out, NULL);
	print_time(out);
	cw_out_str(out, "event", "reaped", NULL);
	if (source->ns->name)
		cw_out_str(out, "netns", source->ns->name, "{} ");
	cw_socket_print(out, &event.socket, true);
	cw_out_str(out, "cause", cw_cause_name(event.cause), " ({})");
	cw_out_u64(out, "error", event.error, NULL);
	cw_out_object_end(out);
	cw_out_end_paragraph(out, strlen("00:00:00 "));
	return true;
}

static void print_lost(const struct source *source)
{
	struct cw_out *out = source->cw->out;

	cw_out_object(out, NULL);
	print_time(out);
	cw_out_str(out, "event", "lost",
		   "some events were {}, there were too many at once");
	if (source->ns->name)
		cw_out_str(out, "netns", source->ns->name, " (in {})");
	cw_out_object_end(out);
	cw_out_end_paragraph(out, strlen("00:00:00 "));
}

static int follow(struct cw *cw, struct monitor *monitor)
{
	int status = CW_DONE;

	while (!status) {
		int i = cw_transport_wait(monitor->transports, monitor->n);
		struct source source = { .cw = cw };
		bool lost;

		if (i < 0)
			return cw_fail(&cw->err, CW_FAILED,
				       "cannot wait for events: %s",
				       strerror(-i));
		source.ns = monitor->ns[i];
		status = cw_nl_events(&monitor->nls[i], print_event, &source,
				      &lost, &cw->err);
		if (lost)
			print_lost(&source);
		if (!status)
			status = cw_flush(cw);
	}
	return status;
}

int cw_monitor(struct cw *cw)
{
	struct monitor monitor = {
		.nls = cw_alloc(cw->netns.n * sizeof(*monitor.nls)),
		.ns = cw_alloc(cw->netns.n * sizeof(*monitor.ns)),
		.transports = cw_alloc(cw->netns.n *
				       sizeof(*monitor.transports)),
	};
	int status = cw_each_netns(cw, join_netns, &monitor);

	if (!status)
		status = follow(cw, &monitor);
	while (monitor.n)
		cw_nl_close(&monitor.nls[--monitor.n]);
	free(monitor.nls);
	free(monitor.ns);
	free(monitor.transports);
	return status;
}
