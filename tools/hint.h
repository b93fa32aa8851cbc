/* SPDX-License-Identifier: GPL-2.0 */
/* What numbers suggest, in words; and what to do next. */
#ifndef CW_HINT_H
#define CW_HINT_H

#include "answer.h"
#include "buf.h"
#include "netns.h"

void cw_hint_port(struct cw_buf *to, const struct cw_port *port);
void cw_hint_next(struct cw_buf *to, const struct cw_port *port,
		  const struct cw_socket *sockets, const struct cw_netns *ns);
bool cw_hint_is_old(const struct cw_port *port);
void cw_hint_churn(struct cw_buf *to, const struct cw_stats *stats, bool old);

#endif /* CW_HINT_H */
