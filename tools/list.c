// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>

#include "cgroup.h"
#include "ports.h"
#include "sockets.h"

#define SOCKET(name) TCP_CLOSE_WAIT_A_SOCKET_##name

static const struct cw_column columns[] = {
	{ "netns", "NETNS", 0, 0 },
	{ "age_ms", "AGE", CW_RIGHT, 0 },
	{ "idle_ms", "IDLE", CW_RIGHT, 0 },
	{ "class", "CLASS", 0, 0 },
	{ "dir", "DIR", 0, 1 },
	{ "local", "LOCAL", 0, 0 },
	{ "remote", "REMOTE", 0, 0 },
	{ "rx_bytes", "RX-BYTES", CW_RIGHT, 2 },
	{ "tx_bytes", "TX-BYTES", CW_RIGHT, 2 },
	{ "uid", "UID", CW_RIGHT, 1 },
	{ "inode", "INODE", CW_RIGHT, 3 },
	{ "cookie", "COOKIE", CW_RIGHT, 3 },
	{ "processes", "PROCESS", CW_CUT, 0 },
	{ "cgroup_path", "CGROUP", CW_CUT, 0 },
};

struct names {
	struct cw_owners *owners;
	struct cw_cgroups *groups;
};

static int get_sockets(struct cw *cw, const struct cw_netns *ns, void *arg)
{
	struct cw_nl nl;
	int status = cw_nl_open(&nl, &cw->err);

	if (!status)
		status = cw_sockets_get(cw, &nl, ns, &cw->opt.filter, arg);
	cw_nl_close(&nl);
	return status;
}

static int by_age(const void *a, const void *b)
{
	const struct cw_socket *left = a, *right = b;
	uint64_t l = left->v[SOCKET(AGE_MS)], r = right->v[SOCKET(AGE_MS)];

	if (l != r)
		return l > r ? -1 : 1;
	l = left->v[SOCKET(COOKIE)];
	r = right->v[SOCKET(COOKIE)];
	return l < r ? -1 : l > r;
}

/* JSON has all of them; a row of text must not grow with a service's workers. */
static void print_processes(struct cw_out *out, const struct cw_owners *owners,
			    uint64_t inode)
{
	const struct cw_owner *owner = cw_owners_first(owners, inode);
	size_t n = 0;

	cw_out_list(out, "processes");
	for (; owner; owner = cw_owners_next(owners, owner)) {
		const struct cw_process *process;

		if (n++ >= CW_PROCESSES_SHOWN && !cw_out_json(out))
			continue;
		process = cw_owners_process(owners, owner);
		if (n > 1)
			cw_out_text(out, ", ");
		cw_out_object(out, NULL);
		cw_out_u64(out, "pid", process->pid, "{}");
		cw_out_str(out, "comm", process->comm, "/{}");
		cw_out_u64(out, "fd", owner->fd, " fd {}");
		cw_out_object_end(out);
	}
	if (n > CW_PROCESSES_SHOWN)
		cw_out_text(out, ", %zu more", n - CW_PROCESSES_SHOWN);
	cw_out_list_end(out);
}

static void print_socket(struct cw_out *out, const struct cw_socket *sock,
			 const struct names *names)
{
	uint64_t cgroup = sock->v[SOCKET(CGROUP)];

	cw_out_object(out, NULL);
	if (sock->netns)
		cw_out_str(out, "netns", sock->netns, NULL);
	cw_socket_print(out, sock, false);
	print_processes(out, names->owners, sock->v[SOCKET(INODE)]);
	cw_out_str(out, "cgroup_path", cw_cgroups_path(names->groups, cgroup),
		   NULL);
	cw_out_object_end(out);
}

static void print(struct cw *cw, const struct cw_sockets *sockets)
{
	struct names names = {
		.owners = cw_sockets_owners(sockets, false),
		.groups = cw_cgroups_load(),
	};
	unsigned int skip = !cw->opt.all_netns;
	size_t i;

	cw_out_object(cw->out, NULL);
	cw_out_table(cw->out, "sockets", columns + skip,
		     MNL_ARRAY_SIZE(columns) - skip);
	for (i = 0; i < sockets->n; i++)
		print_socket(cw->out, &sockets->list[i], &names);
	cw_out_table_end(cw->out, sockets->n ? NULL :
			 cw_no_sockets(&cw->opt.filter));
	cw_out_object_end(cw->out);
	cw_cgroups_free(names.groups);
	cw_owners_free(names.owners);
}

int cw_list(struct cw *cw)
{
	struct cw_sockets sockets = { 0 };
	int status = cw_each_netns(cw, get_sockets, &sockets);

	if (!status) {
		if (sockets.n)
			qsort(sockets.list, sockets.n, sizeof(*sockets.list),
			      by_age);
		print(cw, &sockets);
	}
	cw_sockets_free(&sockets);
	return status;
}
