/* SPDX-License-Identifier: GPL-2.0 */
/* Service ports with sockets in CLOSE_WAIT. */
#ifndef CW_PORTS_H
#define CW_PORTS_H

#include "answer.h"
#include "cwctl.h"
#include "sockets.h"

struct cw_ports {
	struct cw_port *list;
	size_t n, room;
};

int cw_ports_get(struct cw *cw, const struct cw_netns *ns, void *arg);
void cw_ports_make(struct cw_ports *ports, const char *netns,
		   struct cw_sockets *sockets);
void cw_ports_sort(struct cw_ports *ports);
void cw_ports_free(struct cw_ports *ports);
enum cw_tone cw_age_tone(uint64_t ms);
const char *cw_no_sockets(const struct cw_filter *filter);

#endif /* CW_PORTS_H */
