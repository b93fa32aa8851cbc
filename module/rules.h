/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Port rules: which timeout a port has.  Text in, text out and look-up, without
 * kernel state, so that it also builds and is tested in user space.
 */
#ifndef CW_RULES_H
#define CW_RULES_H

#include <linux/types.h>
#include <linux/kernel.h>

#define CW_RULES_MAX	128
#define CW_TIMEOUT_MAX	31536000U	/* seconds: a year */

/* Longest rule in text: "out:65535-65535=31536000," */
#define CW_RULE_TEXT	25
#define CW_RULES_TEXT	(CW_RULES_MAX * CW_RULE_TEXT + 1)	/* and NUL */

enum cw_dir {
	CW_DIR_IN,
	CW_DIR_OUT,
	CW_NDIR
};

/**
 * struct cw_rule - one range of service ports and its timeout
 * @timeout: seconds; 0 exempts the range
 * @first: lowest port
 * @last: highest port, not below @first
 * @dir: enum cw_dir
 */
struct cw_rule {
	u32 timeout;
	u16 first;
	u16 last;
	u8 dir;
};

static inline const char *cw_dir_name(enum cw_dir dir)
{
	return dir == CW_DIR_OUT ? "out" : "in";
}

int cw_rules_parse(const char *text, size_t len, struct cw_rule *rules);
bool cw_rules_begun(const char *text, size_t len, struct cw_rule *rules);
size_t cw_rules_format(const struct cw_rule *rules, unsigned int n, char *buf,
		       size_t size);
const struct cw_rule *cw_rules_find(const struct cw_rule *rules, unsigned int n,
				    enum cw_dir dir, u16 port);

#endif /* CW_RULES_H */
