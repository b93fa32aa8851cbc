// SPDX-License-Identifier: GPL-2.0
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "error.h"

/**
 * cw_fail() - say why a command cannot go on
 * @err: gets the text; an earlier one stays, it is nearer to the cause
 * @status: exit status
 * @fmt: one line, without its end and without the program's name
 *
 * Return: @status.
 */
int cw_fail(struct cw_error *err, enum cw_status status, const char *fmt, ...)
{
	va_list args;

	if (*err->text)
		return status;
	va_start(args, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, args);
	va_end(args);
	return status;
}

/**
 * cw_error_also() - what was done before something went wrong must not go untold
 * @err: has a text
 * @fmt: goes behind it
 */
void cw_error_also(struct cw_error *err, const char *fmt, ...)
{
	size_t len = strlen(err->text);
	va_list args;

	va_start(args, fmt);
	vsnprintf(err->text + len, sizeof(err->text) - len, fmt, args);
	va_end(args);
}

/**
 * cw_error_where() - say in which network namespace it happened
 * @err: has a text
 * @name: of the namespace
 */
void cw_error_where(struct cw_error *err, const char *name)
{
	struct cw_error what = *err;

	*err->text = '\0';
	cw_fail(err, CW_FAILED, "network namespace %s: %s", name, what.text);
}
