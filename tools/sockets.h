/* SPDX-License-Identifier: GPL-2.0 */
/* Sockets in CLOSE_WAIT, as the kernel lists them. */
#ifndef CW_SOCKETS_H
#define CW_SOCKETS_H

#include "answer.h"
#include "cwctl.h"
#include "owners.h"

struct cw_sockets {
	struct cw_socket *list;
	size_t n, room;
};

int cw_sockets_get(struct cw *cw, struct cw_nl *nl, const struct cw_netns *ns,
		   const struct cw_filter *filter, struct cw_sockets *sockets);
void cw_sockets_free(struct cw_sockets *sockets);
void cw_socket_print(struct cw_out *out, const struct cw_socket *sock,
		     bool line);
void cw_sockets_want(const struct cw_sockets *sockets,
		     struct cw_owners *owners);
struct cw_owners *cw_sockets_owners(const struct cw_sockets *sockets,
				    bool some);

#endif /* CW_SOCKETS_H */
