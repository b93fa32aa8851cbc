/* SPDX-License-Identifier: GPL-2.0 */
/* Requests to the module's generic netlink family. */
#ifndef CW_NL_H
#define CW_NL_H

#include <stdbool.h>
#include <stdint.h>
#include <libmnl/libmnl.h>

#include "error.h"
#include "transport.h"

/* Room for a list of cookies as long as an attribute can be, and the rest. */
#define CW_NL_BUFFER	(96 << 10)

/**
 * struct cw_nl - the family, in one network namespace
 * @transport: socket
 * @family: number of the family
 * @events: number of its group of events, 0 if it has none
 * @seq: number of the last request
 * @request: the request that is being made
 * @answer: what the kernel sent
 */
struct cw_nl {
	struct cw_transport *transport;
	uint16_t family;
	uint32_t events;
	uint32_t seq;
	char *request;
	char *answer;
};

/* Takes an answer; false if it is malformed. */
typedef bool cw_nl_fn(const struct nlmsghdr *nlh, void *arg);

int cw_nl_open(struct cw_nl *nl, struct cw_error *err);
void cw_nl_close(struct cw_nl *nl);
int cw_nl_unloaded(struct cw_error *err);
struct nlmsghdr *cw_nl_request(struct cw_nl *nl, uint8_t cmd, uint16_t flags);
int cw_nl_talk(struct cw_nl *nl, struct nlmsghdr *nlh, const char *what,
	       cw_nl_fn *fn, void *arg, struct cw_error *err);
int cw_nl_join(struct cw_nl *nl, struct cw_error *err);
int cw_nl_events(struct cw_nl *nl, cw_nl_fn *fn, void *arg, bool *lost,
		 struct cw_error *err);

#endif /* CW_NL_H */
