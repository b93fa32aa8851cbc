/* SPDX-License-Identifier: GPL-2.0 */
/* Which sockets a request means. */
#ifndef CW_FILTER_H
#define CW_FILTER_H

#include <linux/netlink.h>
#include <linux/types.h>
#include <linux/uidgid.h>

#include "flow.h"
#include "tracker.h"

struct nla_policy;
struct nlattr;
struct user_namespace;

/**
 * struct cw_prefix - an address, or the ones that begin like it
 * @family: AF_INET, which means IPv6-mapped addresses too, or AF_INET6; 0 for
 *	any address
 * @bits: how many leading bits count
 * @addr: the address
 */
struct cw_prefix {
	u16 family;
	u8 bits;
	union cw_addr addr;
};

/**
 * struct cw_filter - all that is given must match
 * @all: nothing is given
 * @first: lowest service port
 * @last: highest service port
 * @dirs: a bit for each enum cw_dir
 * @classes: a bit for each enum cw_class
 * @peer: remote address
 * @local: local address
 * @age: nanoseconds, at least
 * @idle: nanoseconds, at least
 * @by_uid: @uid is given
 * @uid: owner
 * @cgroup: id of a cgroup v2, which may be above the socket's; 0 for any
 * @ncookies: how many @cookies; 0 for any
 * @cookies: sorted
 */
struct cw_filter {
	bool all;
	u16 first;
	u16 last;
	u8 dirs;
	u8 classes;
	struct cw_prefix peer;
	struct cw_prefix local;
	u64 age;
	u64 idle;
	bool by_uid;
	kuid_t uid;
	u64 cgroup;
	unsigned int ncookies;
	u64 *cookies;
};

extern const struct nla_policy cw_filter_policy[];

void cw_filter_init(struct cw_filter *f);
int cw_filter_parse(struct cw_filter *f, const struct nlattr *attr,
		    struct user_namespace *ns, struct netlink_ext_ack *extack);
int cw_filter_set_cookies(struct cw_filter *f, const struct nlattr *attr,
			  struct netlink_ext_ack *extack);
void cw_filter_free(struct cw_filter *f);
bool cw_filter_may(const struct cw_snap *snap, void *filter);
bool cw_filter_want(struct cw_snap *snap, const struct cw_filter *f);
bool cw_filter_want_port(const struct cw_filter *f, enum cw_dir dir, u16 port);

#endif /* CW_FILTER_H */
