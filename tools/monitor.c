// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "alloc.h"
#include "host.h"
#include "sockets.h"

#define SOCKET(name) TCP_CLOSE_WAIT_A_SOCKET_##name

/*
 * How often -a looks for namespaces that have come or gone, and how long after
 * a loss to look for the module.
 */
#define LOOK_AGAIN 2000	/* ms */

/* The module in one namespace. */
struct source {
	struct cw *cw;
	const struct cw_netns *ns;
	struct cw_nl nl;
};

/*
 * @next: the one to look at first, so that all have their turn
 * @lost: events were dropped, and the news of the module's end may be among them
 */
struct sources {
	struct source *list;
	size_t n;
	size_t next;
	bool lost;
};

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
	cw_out_end_record(out, strlen("00:00:00 "));
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
	cw_out_end_record(out, strlen("00:00:00 "));
}

/* What has come, or a part of it. */
static int print_source(struct sources *sources, struct source *source)
{
	struct cw *cw = source->cw;
	bool lost;
	int status = cw_nl_events(&source->nl, print_event, source, &lost,
				  &cw->err);

	if (lost) {
		sources->lost = true;
		print_lost(source);
	}
	return status ? status : cw_flush(cw);
}

static void close_sources(struct sources *sources)
{
	while (sources->n)
		cw_nl_close(&sources->list[--sources->n].nl);
	free(sources->list);
}

static struct source *find_source(const struct sources *sources,
				  const struct cw_netns *ns)
{
	size_t i;

	for (i = 0; i < sources->n; i++)
		if (cw_netns_same(sources->list[i].ns, ns))
			return &sources->list[i];
	return NULL;
}

static int open_source(struct cw *cw, const struct cw_netns *ns, void *arg)
{
	struct source *source = arg;
	int status = cw_nl_open(&source->nl, &cw->err);

	(void)ns;
	return status ? status : cw_nl_join(&source->nl, &cw->err);
}

/* Follows the namespaces that the run is about; what was followed goes on. */
static int follow(struct cw *cw, struct sources *sources)
{
	struct sources before = *sources;
	int status = CW_DONE;
	size_t i;

	*sources = (struct sources){
		.list = cw_alloc(cw->netns.n * sizeof(*sources->list)),
		.lost = before.lost,
	};
	for (i = 0; i < cw->netns.n && !status; i++) {
		struct source *source = &sources->list[sources->n++], *old;

		source->cw = cw;
		source->ns = &cw->netns.list[i];
		old = find_source(&before, source->ns);
		if (old) {
			source->nl = old->nl;
			memset(&old->nl, 0, sizeof(old->nl));
		} else {
			status = cw_in_netns(cw, source->ns, open_source,
					     source);
		}
	}
	/* what is gone may have left something to say */
	for (i = 0; i < before.n && !status; i++) {
		struct source *source = &before.list[i];

		while (source->nl.transport && !status &&
		       !cw_transport_wait(&source->nl.transport, 1, 0))
			status = print_source(sources, source);
	}
	close_sources(&before);
	return status;
}

/*
 * Namespaces come and go.  One that no process is in and that has no name is let
 * go, too: nobody may keep it but the monitor.
 */
static int look_again(struct cw *cw, struct sources *sources,
		      const struct cw_netns *home)
{
	struct cw_netnses before = cw->netns;
	int status;

	memset(&cw->netns, 0, sizeof(cw->netns));
	status = cw_netns_all(&cw->netns, &cw->err);
	if (status) {
		cw_netns_free(&cw->netns);
		cw->netns = before;
		return status;
	}
	status = follow(cw, sources);
	cw_netns_free(&before);
	return status ? status : cw_netns_enter(home, &cw->err);
}

/*
 * After a loss: is the module still there, and the same?  Its family has one number
 * in all namespaces.
 */
static int check_family(struct cw *cw, struct sources *sources)
{
	struct cw_nl now;
	int status;

	if (!sources->lost)
		return CW_DONE;
	sources->lost = false;
	status = cw_nl_open(&now, &cw->err);
	if (!status && now.family != sources->list->nl.family)
		status = cw_nl_unloaded(&cw->err);
	cw_nl_close(&now);
	return status;
}

/* Prints what comes, or waits until the time has come that is left. */
static int print_one(struct cw *cw, struct sources *sources, int left)
{
	struct cw_transport **transports;
	int ready;
	size_t i;

	transports = cw_alloc(sources->n * sizeof(*transports));
	for (i = 0; i < sources->n; i++)
		transports[i] = sources->list[(sources->next + i) %
					      sources->n].nl.transport;
	ready = cw_transport_wait(transports, sources->n, left);
	free(transports);
	if (ready == -EAGAIN)
		return check_family(cw, sources);
	if (ready == -EPIPE)
		return CW_FAILED;	/* as cw_flush() */
	if (ready < 0)
		return cw_fail(&cw->err, CW_FAILED,
			       "cannot wait for events: %s", strerror(-ready));
	i = (sources->next + ready) % sources->n;
	sources->next = i + 1;
	return print_source(sources, &sources->list[i]);
}

static int monitor_one(struct cw *cw, struct sources *sources)
{
	int status = follow(cw, sources);

	while (!status)
		status = print_one(cw, sources, sources->lost ? LOOK_AGAIN : -1);
	return status;
}

static int monitor_all(struct cw *cw, struct sources *sources,
		       const struct cw_netns *home)
{
	int status = follow(cw, sources);

	/* here, so as not to be who keeps the last one */
	if (!status)
		status = cw_netns_enter(home, &cw->err);
	while (!status) {
		int64_t deadline = cw_host_clock() + LOOK_AGAIN, left;

		while (!status && (left = deadline - cw_host_clock()) > 0)
			status = print_one(cw, sources, left);
		if (!status)
			status = look_again(cw, sources, home);
	}
	return status;
}

int cw_monitor(struct cw *cw)
{
	struct sources sources = { 0 };
	struct cw_netnses home = { 0 };
	int status;

	if (!cw->opt.all_netns) {
		status = monitor_one(cw, &sources);
	} else {
		status = cw_netns_one(&home, "/proc/self/ns/net", &cw->err);
		if (!status)
			status = monitor_all(cw, &sources, home.list);
	}
	close_sources(&sources);
	cw_netns_free(&home);
	return status;
}
