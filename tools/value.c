// SPDX-License-Identifier: GPL-2.0
#include <arpa/inet.h>
#include <pwd.h>
#include <stddef.h>
#include <string.h>

#include "answer.h"
#include "value.h"

/* Digits up to @end, and nothing else. */
static bool number(const char *text, const char *end, uint64_t max,
		   uint64_t *value)
{
	const char *at;
	uint64_t v = 0;

	for (at = text; at < end; at++) {
		unsigned int digit = *at - '0';

		if (*at < '0' || *at > '9' || v > (max - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*value = v;
	return end > text;
}

/**
 * cw_value_number() - a decimal number
 * @text: digits only
 * @max: the greatest that is allowed, 9 at least
 * @value: gets it
 *
 * Return: false if it is not one; so do the others here.
 */
bool cw_value_number(const char *text, uint64_t max, uint64_t *value)
{
	return number(text, text + strlen(text), max, value);
}

/**
 * cw_value_time() - a time, such as CW_TIMES
 * @text: what was typed
 * @seconds: gets it
 */
bool cw_value_time(const char *text, uint64_t *seconds)
{
	static const struct {
		char unit;
		uint32_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	const char *end = text + strlen(text);
	uint32_t unit = 1;
	size_t i;

	for (i = 0; i < MNL_ARRAY_SIZE(units) && end > text; i++) {
		if (end[-1] != units[i].unit)
			continue;
		unit = units[i].seconds;
		end--;
		break;
	}
	/* far more than any age, and no overflow when it becomes milliseconds */
	if (!number(text, end, UINT32_MAX, seconds))
		return false;
	*seconds *= unit;
	return true;
}

/**
 * cw_value_ports() - a port or a range of them: P or P-P, from 1 to 65535
 * @text: what was typed
 * @range: gets it
 */
bool cw_value_ports(const char *text, struct cw_range *range)
{
	const char *end = text + strlen(text), *dash = strchr(text, '-');
	uint64_t first, last;

	if (!number(text, dash ? dash : end, UINT16_MAX, &first))
		return false;
	last = first;
	if (dash && !number(dash + 1, end, UINT16_MAX, &last))
		return false;
	range->first = first;
	range->last = last;
	return first && first <= last;
}

/**
 * cw_value_prefix() - an address, or a block: ADDR or ADDR/LEN
 * @text: what was typed
 * @prefix: gets it
 */
bool cw_value_prefix(const char *text, struct cw_prefix *prefix)
{
	const char *slash = strchr(text, '/');
	char addr[INET6_ADDRSTRLEN];
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	uint64_t bits;

	if (len >= sizeof(addr))
		return false;
	memcpy(addr, text, len);
	addr[len] = '\0';
	if (inet_pton(AF_INET, addr, prefix->addr) == 1)
		prefix->len = 4;
	else if (inet_pton(AF_INET6, addr, prefix->addr) == 1)
		prefix->len = 16;
	else
		return false;
	bits = 8U * prefix->len;
	if (slash && !cw_value_number(slash + 1, bits, &bits))
		return false;
	prefix->bits = bits;
	return true;
}

/**
 * cw_value_classes() - names of classes, separated by commas
 * @text: what was typed
 * @classes: gets a bit for each
 */
bool cw_value_classes(const char *text, uint32_t *classes)
{
	*classes = 0;
	for (;;) {
		size_t len = strcspn(text, ",");
		unsigned int i;

		for (i = 0; i < CW_CLASSES; i++)
			if (strlen(cw_class_name(i)) == len &&
			    !memcmp(text, cw_class_name(i), len))
				break;
		if (i == CW_CLASSES)
			return false;
		*classes |= 1U << i;
		if (!text[len])
			return true;
		text += len + 1;
	}
}

/**
 * cw_value_dir() - in or out
 * @text: what was typed
 * @dir: gets it
 */
bool cw_value_dir(const char *text, unsigned int *dir)
{
	for (*dir = 0; *dir < CW_DIRS; ++*dir)
		if (!strcmp(text, cw_dir_name(*dir)))
			return true;
	return false;
}

/**
 * cw_value_service() - ports with a direction: [in:|out:]P[-P]
 * @text: what was typed
 * @dir: gets the direction, in if none is given
 * @range: gets the ports
 */
bool cw_value_service(const char *text, unsigned int *dir,
		      struct cw_range *range)
{
	for (*dir = 0; *dir < CW_DIRS; ++*dir) {
		const char *name = cw_dir_name(*dir);
		size_t len = strlen(name);

		if (!strncmp(text, name, len) && text[len] == ':')
			return cw_value_ports(text + len + 1, range);
	}
	*dir = TCP_CLOSE_WAIT_DIR_IN;
	return cw_value_ports(text, range);
}

/**
 * cw_value_uid() - a user, by number or name
 * @text: what was typed
 * @uid: gets the number
 */
bool cw_value_uid(const char *text, uint32_t *uid)
{
	const struct passwd *user;
	uint64_t value;

	/* the last one means nobody at all, see chown(2) */
	if (cw_value_number(text, UINT32_MAX - 1, &value)) {
		*uid = value;
		return true;
	}
	user = getpwnam(text);
	if (user)
		*uid = user->pw_uid;
	return user;
}
