/* SPDX-License-Identifier: GPL-2.0 */
/* The commands, and what each of them is given. */
#ifndef CW_CWCTL_H
#define CW_CWCTL_H

#include "netns.h"
#include "nl.h"
#include "option.h"
#include "out.h"

/**
 * struct cw - a run of the tool
 * @opt: what the user wants
 * @out: where output goes
 * @err: what went wrong
 * @netns: the network namespaces that it is about
 */
struct cw {
	struct cw_options opt;
	struct cw_out *out;
	struct cw_error err;
	struct cw_error done;
	struct cw_netnses netns;
};

/* Works in one network namespace, which it is called in; returns exit status. */
typedef int cw_netns_fn(struct cw *cw, const struct cw_netns *ns, void *arg);

int cw_main(int argc, char **argv);
int cw_flush(struct cw *cw);
int cw_in_netns(struct cw *cw, const struct cw_netns *ns, cw_netns_fn *fn,
		void *arg);
int cw_each_netns(struct cw *cw, cw_netns_fn *fn, void *arg);

/* Each in the file of its name; they return exit status. */
int cw_show(struct cw *cw);
int cw_list(struct cw *cw);
int cw_reap(struct cw *cw);
int cw_timeout(struct cw *cw);
int cw_monitor(struct cw *cw);
int cw_status(struct cw *cw);

#endif /* CW_CWCTL_H */
