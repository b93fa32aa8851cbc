// SPDX-License-Identifier: GPL-2.0
#include <tcp_close_wait.h>

#include "filter.h"

static void put_prefix(struct nlmsghdr *nlh, const struct cw_prefix *prefix,
		       uint16_t addr, uint16_t bits)
{
	mnl_attr_put(nlh, addr, prefix->len, prefix->addr);
	mnl_attr_put_u8(nlh, bits, prefix->bits);
}

/**
 * cw_filter_put() - add a filter to a request
 * @filter: the filter; its process is not the kernel's affair
 * @nlh: the request
 */
void cw_filter_put(const struct cw_filter *filter, struct nlmsghdr *nlh)
{
	unsigned int given = filter->given & ~CW_FILTER_PID;
	struct nlattr *nest;

	if (!given)
		return;
	nest = mnl_attr_nest_start(nlh, TCP_CLOSE_WAIT_A_FILTER);
	if (given & CW_FILTER_PORT) {
		mnl_attr_put_u16(nlh, TCP_CLOSE_WAIT_A_FILTER_PORT_FIRST,
				 filter->port.first);
		mnl_attr_put_u16(nlh, TCP_CLOSE_WAIT_A_FILTER_PORT_LAST,
				 filter->port.last);
	}
	if (given & CW_FILTER_DIR)
		mnl_attr_put_u8(nlh, TCP_CLOSE_WAIT_A_FILTER_DIR, filter->dir);
	if (given & CW_FILTER_PEER)
		put_prefix(nlh, &filter->peer, TCP_CLOSE_WAIT_A_FILTER_PEER,
			   TCP_CLOSE_WAIT_A_FILTER_PEER_PREFIX);
	if (given & CW_FILTER_LOCAL)
		put_prefix(nlh, &filter->local, TCP_CLOSE_WAIT_A_FILTER_LOCAL,
			   TCP_CLOSE_WAIT_A_FILTER_LOCAL_PREFIX);
	if (given & CW_FILTER_CLASS)
		mnl_attr_put_u32(nlh, TCP_CLOSE_WAIT_A_FILTER_CLASSES,
				 filter->classes);
	if (given & CW_FILTER_OLDER_THAN)
		mnl_attr_put_u64(nlh, TCP_CLOSE_WAIT_A_FILTER_OLDER_THAN,
				 filter->older_than * 1000);
	if (given & CW_FILTER_IDLE)
		mnl_attr_put_u64(nlh, TCP_CLOSE_WAIT_A_FILTER_IDLE,
				 filter->idle * 1000);
	if (given & CW_FILTER_UID)
		mnl_attr_put_u32(nlh, TCP_CLOSE_WAIT_A_FILTER_UID, filter->uid);
	if (given & CW_FILTER_CGROUP)
		mnl_attr_put_u64(nlh, TCP_CLOSE_WAIT_A_FILTER_CGROUP,
				 filter->cgroup);
	mnl_attr_nest_end(nlh, nest);
}
