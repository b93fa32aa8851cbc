// SPDX-License-Identifier: GPL-2.0
#include <stdbool.h>
#include <stdio.h>

#include "text.h"

/* The bytes of the character at @text, 0 if they are not UTF-8 (RFC 3629). */
static size_t decode(const unsigned char *text, uint32_t *code)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len, i;

	*code = text[0];
	if (*code < 0x80)
		return 1;
	if (*code >= 0xf8 || *code < 0xc0)
		return 0;
	len = *code < 0xe0 ? 2 : *code < 0xf0 ? 3 : 4;
	*code &= 0x7f >> len;
	for (i = 1; i < len; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (text[i] & 0x3f);
	}
	if (*code < least[len] || *code > 0x10ffff ||
	    (*code >= 0xd800 && *code <= 0xdfff))
		return 0;
	return len;
}

/* What would move the cursor, change the direction, or hide itself. */
static bool unsafe(uint32_t code)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = {
		{ 0, 0x1f }, { 0x7f, 0x9f }, { 0xad, 0xad }, { 0x61c, 0x61c },
		{ 0x180e, 0x180e }, { 0x200b, 0x200f }, { 0x2028, 0x202e },
		{ 0x2060, 0x206f }, { 0xfeff, 0xfeff }, { 0xfff9, 0xfffb },
		{ 0xe0000, 0xe007f },
	};
	size_t i;

	for (i = 0; i < sizeof(ranges) / sizeof(*ranges); i++)
		if (code >= ranges[i].first && code <= ranges[i].last)
			return true;
	return false;
}

/**
 * cw_text_safe() - write what a terminal may be shown
 * @to: where to
 * @text: any bytes; control characters and what is not UTF-8 comes as \xNN
 */
void cw_text_safe(struct cw_buf *to, const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	uint32_t code;
	size_t len, i;

	for (; *at; at += len) {
		len = decode(at, &code);
		if (len && !unsafe(code)) {
			cw_buf_add(to, at, len);
			continue;
		}
		if (!len)
			len = 1;
		for (i = 0; i < len; i++)
			cw_buf_printf(to, "\\x%02x", at[i]);
	}
}

static void put_escape(struct cw_buf *to, uint32_t code)
{
	if (code >= 0x10000) {	/* a surrogate pair, RFC 8259, 7 */
		code -= 0x10000;
		cw_buf_printf(to, "\\u%04x", 0xd800 | code >> 10);
		code = 0xdc00 | (code & 0x3ff);
	}
	cw_buf_printf(to, "\\u%04x", code);
}

/**
 * cw_text_json() - write a JSON string, with its quotes
 * @to: where to
 * @text: any bytes; what is not UTF-8 becomes U+FFFD
 */
void cw_text_json(struct cw_buf *to, const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	uint32_t code;
	size_t len;

	cw_buf_puts(to, "\"");
	for (; *at; at += len) {
		len = decode(at, &code);
		if (!len) {
			len = 1;
			cw_buf_puts(to, "\\ufffd");
		} else if (code == '"' || code == '\\') {
			cw_buf_printf(to, "\\%c", (char)code);
		} else if (unsafe(code)) {
			put_escape(to, code);
		} else {
			cw_buf_add(to, at, len);
		}
	}
	cw_buf_puts(to, "\"");
}

/**
 * cw_text_width() - how many columns a safe text takes
 * @text: UTF-8
 * @len: its bytes
 *
 * Return: the number of its characters; each is taken to be one column wide.
 */
size_t cw_text_width(const char *text, size_t len)
{
	size_t width = 0, i;

	for (i = 0; i < len; i++)
		width += (text[i] & 0xc0) != 0x80;
	return width;
}

/**
 * cw_text_fit() - how much of a safe text fits
 * @text: UTF-8
 * @len: its bytes
 * @width: columns
 *
 * Return: bytes, whole characters only.
 */
size_t cw_text_fit(const char *text, size_t len, size_t width)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if ((text[i] & 0xc0) == 0x80)
			continue;
		if (!width)
			break;
		width--;
	}
	return i;
}

/**
 * cw_text_age() - a time as people say it: 340ms, 7.3s, 42s, 3m20s, 2h05m, 3d04h
 * @ms: milliseconds
 * @buf: gets the text, CW_AGE_TEXT is enough
 * @size: room in it
 *
 * Return: @buf.
 */
const char *cw_text_age(uint64_t ms, char *buf, size_t size)
{
	unsigned long long s = ms / 1000;
	unsigned int tenths = ms / 100 % 10;

	if (ms < 1000)
		snprintf(buf, size, "%ums", (unsigned int)ms);
	else if (s < 10)
		snprintf(buf, size, "%llu.%us", s, tenths);
	else if (s < 60)
		snprintf(buf, size, "%llus", s);
	else if (s < 3600)
		snprintf(buf, size, "%llum%02llus", s / 60, s % 60);
	else if (s < 86400)
		snprintf(buf, size, "%lluh%02llum", s / 3600, s / 60 % 60);
	else
		snprintf(buf, size, "%llud%02lluh", s / 86400, s / 3600 % 24);
	return buf;
}
