// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "ports.h"
#include "sockets.h"

#define SOCKET(name) TCP_CLOSE_WAIT_A_SOCKET_##name

/**
 * struct get - a list that is being read
 * @sockets: gets them
 * @of: if not NULL, only those that it has
 * @netns: name of the namespace
 */
struct get {
	struct cw_sockets *sockets;
	struct cw_owners *of;
	const char *netns;
};

static bool add_socket(const struct nlmsghdr *nlh, void *arg)
{
	struct get *get = arg;
	struct cw_sockets *to = get->sockets;
	struct cw_socket *sock;

	to->list = cw_grow(to->list, to->n, &to->room, sizeof(*to->list));
	sock = &to->list[to->n];
	if (!cw_answer_socket(nlh, sock))
		return false;
	sock->netns = get->netns;
	if (!get->of || cw_owners_first(get->of, sock->v[SOCKET(INODE)]))
		to->n++;
	return true;
}

/**
 * cw_sockets_get() - the sockets that a filter matches
 * @cw: the run
 * @nl: the module
 * @ns: the namespace of @nl
 * @filter: which ones
 * @sockets: they are added to these
 *
 * What the kernel cannot tell, which process has a socket, is looked up here.
 *
 * Return: exit status.
 */
int cw_sockets_get(struct cw *cw, struct cw_nl *nl, const struct cw_netns *ns,
		   const struct cw_filter *filter, struct cw_sockets *sockets)
{
	struct get get = { .sockets = sockets, .netns = ns->name };
	struct nlmsghdr *nlh;
	int status = CW_DONE;

	if (filter->given & CW_FILTER_PID) {
		get.of = cw_owners_new();
		status = cw_owners_scan_pid(get.of, filter->pid, &cw->err);
	}
	if (!status) {
		nlh = cw_nl_request(nl, TCP_CLOSE_WAIT_CMD_SOCKETS_GET,
				    NLM_F_DUMP);
		cw_filter_put(filter, nlh);
		status = cw_nl_talk(nl, nlh, "list sockets", add_socket, &get,
				    &cw->err);
	}
	if (get.of)
		cw_owners_free(get.of);
	return status;
}

void cw_sockets_free(struct cw_sockets *sockets)
{
	free(sockets->list);
	memset(sockets, 0, sizeof(*sockets));
}

/**
 * cw_sockets_want() - look for the processes that have these sockets
 * @sockets: the sockets
 * @owners: gets them
 */
void cw_sockets_want(const struct cw_sockets *sockets,
		     struct cw_owners *owners)
{
	size_t i;

	for (i = 0; i < sockets->n; i++) {
		const uint64_t *v = sockets->list[i].v;

		cw_owners_want(owners, v[SOCKET(INODE)], v[SOCKET(FILE_REFS)]);
	}
}

/**
 * cw_sockets_owners() - which processes have these sockets
 * @sockets: the sockets
 * @some: one of a process's sockets will do
 *
 * Return: what cw_owners_free() takes.
 */
struct cw_owners *cw_sockets_owners(const struct cw_sockets *sockets, bool some)
{
	struct cw_owners *owners = cw_owners_new();

	cw_sockets_want(sockets, owners);
	cw_owners_scan(owners, some);
	return owners;
}

/**
 * cw_socket_print() - the values of a socket, in an object
 * @out: where to
 * @sock: the socket
 * @line: text says the most important of them in a line, not in a table
 */
void cw_socket_print(struct cw_out *out, const struct cw_socket *sock,
		     bool line)
{
	const uint64_t *v = sock->v;
	char text[CW_ADDR_TEXT];
	unsigned int i;

	cw_out_str(out, "dir", cw_dir_name(v[SOCKET(DIR)]),
		   line ? "{}" : NULL);
	cw_addr_text(&sock->local, v[SOCKET(LOCAL_PORT)], text);
	cw_out_str(out, "local", text, line ? " {}" : NULL);
	cw_addr_text(&sock->remote, v[SOCKET(REMOTE_PORT)], text);
	cw_out_str(out, "remote", text, line ? " {}" : NULL);
	cw_out_tone(out, cw_age_tone(v[SOCKET(AGE_MS)]));
	cw_out_age(out, "age_ms", v[SOCKET(AGE_MS)], v[SOCKET(EXACT)],
		   line ? " age {}" : NULL);
	cw_out_u64(out, "exact", v[SOCKET(EXACT)], NULL);
	cw_out_age(out, "idle_ms", v[SOCKET(IDLE_MS)], true,
		   line ? " idle {}" : NULL);
	cw_out_str(out, "class", cw_class_name(v[SOCKET(CLASS)]),
		   line ? " {}" : NULL);
	for (i = SOCKET(RX_BYTES); i <= SOCKET(INODE); i++)
		cw_out_u64(out, cw_socket_keys[i], v[i], NULL);
	snprintf(text, sizeof(text), "%jx", (uintmax_t)v[SOCKET(COOKIE)]);
	cw_out_str(out, "cookie", text, NULL);
	cw_out_u64(out, "cgroup", v[SOCKET(CGROUP)], NULL);
}
