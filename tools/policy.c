// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "answer.h"
#include "buf.h"
#include "file.h"
#include "host.h"
#include "policy.h"
#include "text.h"

#define SYSCTL "/proc/sys/net/ipv4/"
#define OURS SYSCTL "tcp_close_wait_"

#define RULES_TEXT 4096		/* the kernel's own text is shorter */

/* How often to ask for the lock. */
#define LOCK_PAUSE 10		/* ms */

/* A sysctl is not there. */
static int missing(const char *path, struct cw_error *err)
{
	if (!cw_file_exists(SYSCTL))
		return cw_fail(err, CW_FAILED,
			       "there is no %s: is /proc mounted?", path);
	return cw_fail(err, CW_NOT_LOADED,
		       "the module tcp_close_wait is not loaded (modprobe tcp_close_wait)");
}

static int read_text(const char *path, char *buf, size_t size,
		     struct cw_error *err)
{
	int len = cw_file_read(path, buf, size);

	if (len >= 0)
		return CW_DONE;
	if (len == -ENOENT)
		return missing(path, err);
	return cw_fail(err, CW_FAILED, "cannot read %s: %s", path,
		       strerror(-len));
}

static int read_number(const char *path, uint32_t *value, struct cw_error *err)
{
	char text[32];
	int status = read_text(path, text, sizeof(text), err);
	uint64_t number;

	if (status)
		return status;
	if (!cw_value_number(text, UINT32_MAX, &number))
		return cw_fail(err, CW_FAILED, "%s has no number: %s", path,
			       text);
	*value = number;
	return CW_DONE;
}

static bool parse_rule(char *text, struct cw_rule *rule)
{
	char *equals = strchr(text, '=');
	uint64_t timeout;

	if (!equals || !cw_value_number(equals + 1, UINT32_MAX, &timeout))
		return false;
	*equals = '\0';
	rule->timeout = timeout;
	return cw_value_service(text, &rule->dir, &rule->ports);
}

/**
 * cw_policy_parse_rules() - read rules as the kernel writes them
 * @policy: gets them
 * @text: [in:|out:]PORT[-PORT]=SECONDS, separated by commas
 *
 * Return: false if they cannot be understood.
 */
bool cw_policy_parse_rules(struct cw_policy *policy, const char *text)
{
	char copy[RULES_TEXT], *rest, *word;

	snprintf(copy, sizeof(copy), "%s", text);
	policy->n = 0;
	for (word = strtok_r(copy, ", \t\n", &rest); word;
	     word = strtok_r(NULL, ", \t\n", &rest))
		if (policy->n == CW_RULES_MAX ||
		    !parse_rule(word, &policy->rules[policy->n++]))
			return false;
	return true;
}

/**
 * cw_policy_read() - read what is set
 * @policy: gets it
 * @err: gets what goes wrong
 *
 * Return: exit status, CW_NOT_LOADED if there is no such policy.
 */
int cw_policy_read(struct cw_policy *policy, struct cw_error *err)
{
	char rules[RULES_TEXT];
	int status;

	memset(policy, 0, sizeof(*policy));
	status = read_number(OURS "timeout", &policy->timeout, err);
	if (!status)
		status = read_number(OURS "reap_rate", &policy->rate, err);
	if (!status)
		status = read_text(OURS "action", policy->action,
				   sizeof(policy->action), err);
	if (!status)
		status = read_text(OURS "port_timeouts", rules, sizeof(rules),
				   err);
	if (!status && !cw_policy_parse_rules(policy, rules))
		return cw_fail(err, CW_FAILED,
			       "cannot understand net.ipv4.tcp_close_wait_port_timeouts: %s",
			       rules);
	return status;
}

static int write_text(const char *path, const char *text, struct cw_error *err)
{
	int error = cw_file_write(path, text);

	if (!error)
		return CW_DONE;
	if (error == -ENOENT)
		return missing(path, err);
	return cw_fail(err, CW_FAILED, "cannot set net.ipv4.%s: %s%s",
		       path + strlen(SYSCTL), strerror(-error),
		       error == -EPERM || error == -EACCES ?
		       " (needs CAP_NET_ADMIN)" : "");
}

/**
 * cw_policy_lock() - keep other cwctl from changing the rules meanwhile
 * @deadline: of cw_host_clock(); from then on it does without the lock, which
 *	everybody in the namespace can hold
 *
 * The lock is that of the namespace that the process is in.
 *
 * Return: what cw_policy_unlock() takes.
 */
int cw_policy_lock(int64_t deadline)
{
	int fd = cw_file_open("/proc/self/ns/net", O_RDONLY);

	if (fd < 0)
		return fd;
	while (flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK &&
	       cw_host_clock() < deadline)
		cw_host_pause(LOCK_PAUSE);
	return fd;
}

void cw_policy_unlock(int lock)
{
	if (lock >= 0)
		close(lock);
}

/**
 * cw_policy_write_timeout() - set the timeout of the namespace
 * @timeout: seconds, 0: never
 * @err: gets what goes wrong
 *
 * Return: exit status.
 */
int cw_policy_write_timeout(uint32_t timeout, struct cw_error *err)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", timeout);
	return write_text(OURS "timeout", text, err);
}

/**
 * cw_policy_write_rules() - set the timeouts of ports
 * @policy: has them
 * @err: gets what goes wrong
 *
 * Return: exit status.
 */
int cw_policy_write_rules(const struct cw_policy *policy, struct cw_error *err)
{
	struct cw_buf text = { 0 };
	unsigned int i;
	int status;

	if (policy->n > CW_RULES_MAX)
		return cw_fail(err, CW_FAILED,
			       "this would make %u rules; there can be %d",
			       policy->n, CW_RULES_MAX);
	cw_buf_puts(&text, "");
	for (i = 0; i < policy->n; i++) {
		const struct cw_rule *rule = &policy->rules[i];

		cw_buf_printf(&text, "%s%s:%u-%u=%u", i ? "," : "",
			      cw_dir_name(rule->dir), rule->ports.first,
			      rule->ports.last, rule->timeout);
	}
	status = write_text(OURS "port_timeouts", text.text, err);
	cw_buf_free(&text);
	return status;
}

static int by_port(const void *a, const void *b)
{
	const struct cw_rule *left = a, *right = b;

	if (left->dir != right->dir)
		return left->dir < right->dir ? -1 : 1;
	return (int)left->ports.first - (int)right->ports.first;
}

/**
 * cw_policy_forget() - some ports have no rule any more
 * @policy: changed, not written; with CW_RULES_MAX rules at most
 * @dir: direction
 * @ports: the ports; a rule that has others too keeps these
 */
void cw_policy_forget(struct cw_policy *policy, unsigned int dir,
		      struct cw_range ports)
{
	unsigned int i, n = 0;
	struct cw_rule rules[CW_RULES_ROOM];

	for (i = 0; i < policy->n; i++) {
		struct cw_rule below = policy->rules[i], above = below;

		if (below.dir != dir || below.ports.last < ports.first ||
		    below.ports.first > ports.last) {
			rules[n++] = below;
			continue;
		}
		if (below.ports.first < ports.first) {
			below.ports.last = ports.first - 1;
			rules[n++] = below;
		}
		if (above.ports.last > ports.last) {
			above.ports.first = ports.last + 1;
			rules[n++] = above;
		}
	}
	memcpy(policy->rules, rules, n * sizeof(*rules));
	policy->n = n;
}

/**
 * cw_policy_set() - give ports a timeout
 * @policy: changed, not written
 * @rule: takes the place of what other rules say of its ports
 */
void cw_policy_set(struct cw_policy *policy, const struct cw_rule *rule)
{
	cw_policy_forget(policy, rule->dir, rule->ports);
	policy->rules[policy->n++] = *rule;
	qsort(policy->rules, policy->n, sizeof(*policy->rules), by_port);
}

/**
 * cw_ephemeral_read() - which ports the kernel chooses for connections
 * @range: gets them
 * @err: gets what goes wrong
 *
 * Return: exit status.
 */
int cw_ephemeral_read(struct cw_range *range, struct cw_error *err)
{
	char text[64];
	int len = cw_file_read(SYSCTL "ip_local_port_range", text, sizeof(text));

	if (len < 0)
		return cw_fail(err, CW_FAILED,
			       "cannot read net.ipv4.ip_local_port_range: %s",
			       strerror(-len));
	if (sscanf(text, "%hu %hu", &range->first,
		   &range->last) != 2 || range->first > range->last)
		return cw_fail(err, CW_FAILED,
			       "cannot understand net.ipv4.ip_local_port_range: %s",
			       text);
	return CW_DONE;
}

static void print_timeout(struct cw_out *out, uint32_t timeout,
			  const char *template)
{
	char text[16];

	/* not cw_text_age(): a setting is exact, and can be typed again */
	snprintf(text, sizeof(text), "%us", timeout);
	cw_out_number(out, "timeout", timeout, timeout ? text : "never",
		      template);
}

/**
 * cw_policy_print() - the values of a policy, without its rules
 * @out: where to; an object, and a line of text
 * @policy: the policy
 */
void cw_policy_print(struct cw_out *out, const struct cw_policy *policy)
{
	print_timeout(out, policy->timeout, "timeout {}, ");
	cw_out_str(out, "action", policy->action, "action {}, ");
	if (policy->rate)
		cw_out_u64(out, "reap_rate", policy->rate,
			   "at most {} reaps a second");
	else
		cw_out_number(out, "reap_rate", 0, "no limit",
			      "{} to the rate of reaps");
	cw_out_end_line(out);
}

static bool overlaps(const struct cw_rule *a, const struct cw_rule *b)
{
	return a->dir == b->dir && a->ports.first <= b->ports.last &&
	       b->ports.first <= a->ports.last;
}

/**
 * cw_policy_print_rules() - the timeouts of ports
 * @out: where to; a list in an object, and a table of text
 * @policy: has them
 * @only: if not NULL, only what overlaps this one
 * @empty: what text says if there is none
 */
void cw_policy_print_rules(struct cw_out *out, const struct cw_policy *policy,
			   const struct cw_rule *only, const char *empty)
{
	static const struct cw_column columns[] = {
		{ "dir", "DIR", 0, 0 },
		{ "first", "FIRST", CW_RIGHT, 0 },
		{ "last", "LAST", CW_RIGHT, 0 },
		{ "timeout", "TIMEOUT", CW_RIGHT, 0 },
	};
	unsigned int i;

	cw_out_table(out, "port_timeouts", columns,
		     MNL_ARRAY_SIZE(columns));
	for (i = 0; i < policy->n; i++) {
		const struct cw_rule *rule = &policy->rules[i];

		if (only && !overlaps(rule, only))
			continue;
		empty = NULL;
		cw_out_object(out, NULL);
		cw_out_str(out, "dir", cw_dir_name(rule->dir), NULL);
		cw_out_u64(out, "first", rule->ports.first, NULL);
		cw_out_u64(out, "last", rule->ports.last, NULL);
		print_timeout(out, rule->timeout, NULL);
		cw_out_object_end(out);
	}
	cw_out_table_end(out, empty);
}
