// SPDX-License-Identifier: GPL-2.0
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "buf.h"

/* Room for @size bytes more and a NUL; where they go. */
static char *more(struct cw_buf *buf, size_t size)
{
	if (buf->room - buf->len <= size) {
		size_t room = 2 * buf->room;
		char *text;

		if (room < buf->len + size + 1)
			room = buf->len + size + 64;
		text = realloc(buf->text, room);
		if (!text)
			cw_alloc_failed();
		buf->text = text;
		buf->room = room;
	}
	return buf->text + buf->len;
}

/**
 * cw_buf_add() - add bytes
 * @buf: where to
 * @data: bytes
 * @size: how many
 */
void cw_buf_add(struct cw_buf *buf, const void *data, size_t size)
{
	char *to = more(buf, size);

	if (size)
		memcpy(to, data, size);
	to[size] = '\0';
	buf->len += size;
}

/**
 * cw_buf_fill() - add one character several times
 * @buf: where to
 * @c: the character
 * @n: how often
 */
void cw_buf_fill(struct cw_buf *buf, char c, size_t n)
{
	char *to = more(buf, n);

	memset(to, c, n);
	to[n] = '\0';
	buf->len += n;
}

/**
 * cw_buf_puts() - add a text
 * @buf: where to
 * @text: ends in NUL
 */
void cw_buf_puts(struct cw_buf *buf, const char *text)
{
	cw_buf_add(buf, text, strlen(text));
}

/**
 * cw_buf_printf() - add formatted text
 * @buf: where to
 * @fmt: as for printf(3)
 */
void cw_buf_printf(struct cw_buf *buf, const char *fmt, ...)
{
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (len < 0)
		return;
	more(buf, len);
	va_start(args, fmt);
	buf->len += vsnprintf(buf->text + buf->len, len + 1, fmt, args);
	va_end(args);
}

/**
 * cw_buf_free() - empty it and give its memory back
 * @buf: can be used again
 */
void cw_buf_free(struct cw_buf *buf)
{
	free(buf->text);
	memset(buf, 0, sizeof(*buf));
}
