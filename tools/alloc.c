// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "error.h"
#include "host.h"

static bool json_errors;

/**
 * cw_alloc_init() - how to say that there is no memory
 * @json: say it on standard output as JSON too
 */
void cw_alloc_init(bool json)
{
	json_errors = json;
}

/**
 * cw_alloc_failed() - end the program for want of memory
 */
void __noreturn cw_alloc_failed(void)
{
	static const char text[] = "cwctl: out of memory\n";
	static const char json[] = "{\"error\":\"out of memory\"}\n";

	cw_host_write(2, text, sizeof(text) - 1);
	if (json_errors)
		cw_host_write(1, json, sizeof(json) - 1);
	exit(CW_FAILED);
}

/**
 * cw_alloc() - memory, all zero
 * @size: bytes
 *
 * Return: never NULL.
 */
void *cw_alloc(size_t size)
{
	void *mem = calloc(1, size ? size : 1);

	if (!mem)
		cw_alloc_failed();
	return mem;
}

/**
 * cw_grow() - see to it that an array has room for one element more
 * @old: the array, or NULL
 * @n: how many elements are in it
 * @room: how many it has room for; kept here
 * @size: bytes of an element
 *
 * Return: where the array is now.
 */
void *cw_grow(void *old, size_t n, size_t *room, size_t size)
{
	void *mem;

	if (n < *room)
		return old;
	*room = n ? 2 * n : 16;
	mem = reallocarray(old, *room, size);
	if (!mem)
		cw_alloc_failed();
	return mem;
}

/**
 * cw_copy() - a copy of a text
 * @text: ends in NUL
 *
 * Return: never NULL.
 */
char *cw_copy(const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		cw_alloc_failed();
	return copy;
}
