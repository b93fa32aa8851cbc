// SPDX-License-Identifier: GPL-2.0
/*
 * The knobs in net.ipv4: text to policy and back.
 *
 * The kernel's own integer handlers are not used for writing, because they take
 * the first number of "5 6" and drop the rest: here a value is taken whole or
 * not at all.
 */
#include <linux/capability.h>
#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysctl.h>

#include "compat/compat.h"
#include "netns.h"
#include "policy.h"
#include "sysctl.h"

#define SYSCTL_BLOCK		1024	/* st_blksize of files in /proc */

/* Many times the longest canonical set of rules. */
#define SYSCTL_TEXT_MAX		(64 * 1024)

typedef size_t (*sysctl_show_fn)(const struct cw_policy *p, char *buf,
				 size_t size);
typedef int (*sysctl_store_fn)(struct cw_net *cn, char *text);

static int store_rules(struct cw_net *cn, char *text);
static int rules_begun(const char *text, size_t len);

static int sysctl_read(struct cw_net *cn, sysctl_show_fn show, void *buffer,
		       size_t *lenp, loff_t *ppos)
{
	struct ctl_table text = { .maxlen = CW_RULES_TEXT };
	int err;

	text.data = kmalloc(text.maxlen, GFP_KERNEL_ACCOUNT);
	if (!text.data)
		return -ENOMEM;
	rcu_read_lock();
	show(rcu_dereference(cn->policy), text.data, text.maxlen);
	rcu_read_unlock();
	err = proc_dostring(&text, 0, buffer, lenp, ppos);
	kfree(text.data);
	return err;
}

static void sysctl_forget(struct cw_unfinished *kept)
{
	kfree(kept->text);
	kept->text = NULL;
	kept->len = 0;
}

/*
 * The shell's echo and stdio write no more than the file's block size at a
 * time, 1024 bytes, and a long set of rules must not come into force, or be
 * refused, by halves.  So a text that fills its last block, and does not end
 * with a line, is kept until its writer brings the rest.
 */
static bool sysctl_breaks_off(const char *text, size_t len)
{
	return len % SYSCTL_BLOCK == 0 && text[len - 1] != '\n';
}

static void sysctl_keep(struct cw_unfinished *kept, char *text, size_t len)
{
	kept->text = text;
	kept->len = len;
	kept->writer = task_tgid_nr(current);
}

/* What was kept and @buffer behind it.  Return: NULL if memory is short. */
static char *sysctl_join(const struct cw_unfinished *kept, const void *buffer,
			 size_t len)
{
	char *text = kmalloc(kept->len + len + 1, GFP_KERNEL_ACCOUNT);

	if (!text)
		return NULL;
	if (kept->len)
		memcpy(text, kept->text, kept->len);
	memcpy(text + kept->len, buffer, len);
	text[kept->len + len] = '\0';
	return text;
}

static int sysctl_take(struct cw_net *cn, sysctl_store_fn store,
		       const char *buffer, size_t len, loff_t pos)
{
	struct cw_unfinished none = {}, *kept = &none;
	char *text;
	int err;

	/* nothing else is long enough to come in parts */
	if (store == store_rules)
		kept = &cn->rules;
	if (pos && kept->writer != task_tgid_nr(current))
		return -EINVAL;		/* goes with what another one has begun */
	if (!pos)
		sysctl_forget(kept);
	if (pos != kept->len || pos + len > SYSCTL_TEXT_MAX) {
		sysctl_forget(kept);
		return -EINVAL;
	}
	text = sysctl_join(kept, buffer, len);
	sysctl_forget(kept);
	if (!text)
		return -ENOMEM;
	len += pos;
	if (kept != &none && sysctl_breaks_off(text, len)) {
		err = rules_begun(text, len);
		if (!err) {
			sysctl_keep(kept, text, len);
			return 0;
		}
	} else {
		if (!text[len - 1])		/* written with its NUL */
			len--;
		err = memchr(text, '\0', len) ? -EINVAL :
						 store(cn, strim(text));
	}
	kfree(text);
	return err;
}

static int sysctl_write(struct cw_net *cn, sysctl_store_fn store, void *buffer,
			size_t len, loff_t *ppos)
{
	int err;

	/*
	 * The file's mode has been checked against whoever opened it, and lets
	 * the owner of the namespace in; this is for who writes.
	 */
	if (!ns_capable(cn->net->user_ns, CAP_NET_ADMIN))
		return -EPERM;
	if (!len)
		return 0;
	mutex_lock(&cn->sysctl_lock);
	err = sysctl_take(cn, store, buffer, len, *ppos);
	mutex_unlock(&cn->sysctl_lock);
	if (!err)
		*ppos += len;
	return err;
}

static int sysctl_handle(cw_ctl_table *table, int write, void *buffer,
			 size_t *lenp, loff_t *ppos, sysctl_show_fn show,
			 sysctl_store_fn store)
{
	struct cw_net *cn = table->data;

	if (!write)
		return sysctl_read(cn, show, buffer, lenp, ppos);
	return sysctl_write(cn, store, buffer, *lenp, ppos);
}

static int parse_uint(const char *text, unsigned int max, unsigned int *value)
{
	/* kstrtouint() would let a sign pass. */
	if (*text < '0' || *text > '9' || kstrtouint(text, 10, value) ||
	    *value > max)
		return -EINVAL;
	return 0;
}

static size_t show_timeout(const struct cw_policy *p, char *buf, size_t size)
{
	return scnprintf(buf, size, "%u", p->timeout);
}

static int store_timeout(struct cw_net *cn, char *text)
{
	unsigned int value;

	if (parse_uint(text, CW_TIMEOUT_MAX, &value))
		return -EINVAL;
	return cw_policy_set_timeout(cn, value);
}

static int handle_timeout(cw_ctl_table *table, int write, void *buffer,
			  size_t *lenp, loff_t *ppos)
{
	return sysctl_handle(table, write, buffer, lenp, ppos, show_timeout,
			     store_timeout);
}

static size_t show_rules(const struct cw_policy *p, char *buf, size_t size)
{
	return cw_rules_format(p->rules, p->nrules, buf, size);
}

static struct cw_rule *rules_alloc(void)
{
	return kmalloc_array(CW_RULES_MAX, sizeof(struct cw_rule),
			     GFP_KERNEL_ACCOUNT);
}

/* What is wrong already is refused, not kept. */
static int rules_begun(const char *text, size_t len)
{
	struct cw_rule *rules = rules_alloc();
	bool begun;

	if (!rules)
		return -ENOMEM;
	begun = cw_rules_begun(text, len, rules);
	kfree(rules);
	return begun ? 0 : -EINVAL;
}

static int store_rules(struct cw_net *cn, char *text)
{
	struct cw_rule *rules = rules_alloc();
	int n;

	if (!rules)
		return -ENOMEM;
	n = cw_rules_parse(text, strlen(text), rules);
	if (n >= 0)
		n = cw_policy_set_rules(cn, rules, n);
	kfree(rules);
	return n;
}

static int handle_rules(cw_ctl_table *table, int write, void *buffer,
			size_t *lenp, loff_t *ppos)
{
	return sysctl_handle(table, write, buffer, lenp, ppos, show_rules,
			     store_rules);
}

static size_t show_action(const struct cw_policy *p, char *buf, size_t size)
{
	return scnprintf(buf, size, "%s", cw_action_name(p->action));
}

static int store_action(struct cw_net *cn, char *text)
{
	enum cw_action action;

	for (action = 0; action < CW_NACTION; action++)
		if (!strcmp(text, cw_action_name(action)))
			return cw_policy_set_action(cn, action);
	return -EINVAL;
}

static int handle_action(cw_ctl_table *table, int write, void *buffer,
			 size_t *lenp, loff_t *ppos)
{
	return sysctl_handle(table, write, buffer, lenp, ppos, show_action,
			     store_action);
}

static size_t show_rate(const struct cw_policy *p, char *buf, size_t size)
{
	return scnprintf(buf, size, "%u", p->reap_rate);
}

static int store_rate(struct cw_net *cn, char *text)
{
	unsigned int value;

	if (parse_uint(text, UINT_MAX, &value))
		return -EINVAL;
	return cw_policy_set_rate(cn, value);
}

static int handle_rate(cw_ctl_table *table, int write, void *buffer,
		       size_t *lenp, loff_t *ppos)
{
	return sysctl_handle(table, write, buffer, lenp, ppos, show_rate,
			     store_rate);
}

static const struct ctl_table sysctl_template[] = {
	{
		.procname = "tcp_close_wait_timeout",
		.mode = 0644,
		.proc_handler = handle_timeout,
	}, {
		.procname = "tcp_close_wait_port_timeouts",
		.mode = 0644,
		.proc_handler = handle_rules,
	}, {
		.procname = "tcp_close_wait_action",
		.mode = 0644,
		.proc_handler = handle_action,
	}, {
		.procname = "tcp_close_wait_reap_rate",
		.mode = 0644,
		.proc_handler = handle_rate,
	},
};

/**
 * cw_sysctl_init() - a new namespace's knobs
 * @cn: the namespace
 *
 * Return: 0 or -ENOMEM.
 */
int cw_sysctl_init(struct cw_net *cn)
{
	const size_t n = ARRAY_SIZE(sysctl_template);
	struct ctl_table *table;
	size_t i;

	mutex_init(&cn->sysctl_lock);
	table = kcalloc(n + 1, sizeof(*table), GFP_KERNEL_ACCOUNT);
	if (!table)
		return -ENOMEM;
	memcpy(table, sysctl_template, sizeof(sysctl_template));
	for (i = 0; i < n; i++)
		table[i].data = cn;
	cn->sysctl_table = table;
	cn->sysctl = cw_register_net_sysctl(cn->net, "net/ipv4", table, n);
	if (cn->sysctl)
		return 0;
	kfree(table);
	return -ENOMEM;
}

/**
 * cw_sysctl_exit() - the end of a namespace's knobs
 * @cn: the namespace
 *
 * Waits for those who are in a handler.
 */
void cw_sysctl_exit(struct cw_net *cn)
{
	unregister_net_sysctl_table(cn->sysctl);
	kfree(cn->sysctl_table);
	sysctl_forget(&cn->rules);
}
