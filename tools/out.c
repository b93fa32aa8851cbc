// SPDX-License-Identifier: GPL-2.0
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "host.h"
#include "out.h"
#include "text.h"

#define DEPTH_MAX 10

struct cw_out {
	bool json;
	bool colour;
	unsigned int width;		/* of tables, and of what is like their rows */
	unsigned int prose;		/* and of all other text */
	struct cw_buf body;
	struct cw_buf line;		/* text that is not in body yet */
	enum cw_tone tone;
	struct cw_table *table;
	unsigned int row_depth;		/* depth of the table's rows */
	unsigned int depth;
	bool used[DEPTH_MAX];		/* has a value at this depth */
};

/**
 * cw_out_new() - nothing yet
 * @json: JSON or text
 *
 * Return: where to put output.
 */
struct cw_out *cw_out_new(bool json)
{
	struct cw_out *out = cw_alloc(sizeof(*out));

	out->json = json;
	out->colour = !json && cw_host_colour();
	/* a row for grep or a log stays whole */
	out->width = cw_host_width(UINT_MAX);
	out->prose = cw_host_width(CW_WIDTH);
	return out;
}

void cw_out_free(struct cw_out *out)
{
	cw_out_drop(out);
	cw_buf_free(&out->body);
	cw_buf_free(&out->line);
	free(out);
}

/**
 * cw_out_drop() - forget all output that was not flushed
 * @out: can be used anew
 */
void cw_out_drop(struct cw_out *out)
{
	if (out->table)
		cw_table_free(out->table);
	out->table = NULL;
	out->depth = 0;
	out->used[0] = false;
	out->body.len = 0;
	out->line.len = 0;
}

/**
 * cw_out_flush() - write the output
 * @out: is empty afterwards
 *
 * Return: 0, or a negative errno.
 */
int cw_out_flush(struct cw_out *out)
{
	int error = 0;

	if (out->body.len)
		error = cw_host_write(1, out->body.text, out->body.len);
	cw_out_drop(out);
	return error;
}

bool cw_out_json(const struct cw_out *out)
{
	return out->json;
}

static bool in_row(const struct cw_out *out)
{
	return out->table && out->depth >= out->row_depth;
}

static void json_key(struct cw_out *out, const char *key)
{
	if (out->used[out->depth])
		cw_buf_puts(&out->body, ",");
	out->used[out->depth] = true;
	if (key) {
		cw_text_json(&out->body, key);
		cw_buf_puts(&out->body, ":");
	}
}

static void open_level(struct cw_out *out, const char *key, const char *bracket)
{
	if (out->json) {
		json_key(out, key);
		cw_buf_puts(&out->body, bracket);
	}
	if (++out->depth == DEPTH_MAX)
		abort();
	out->used[out->depth] = false;
}

static void close_level(struct cw_out *out, const char *bracket)
{
	out->depth--;
	if (!out->json)
		return;
	cw_buf_puts(&out->body, bracket);
	if (!out->depth) {
		cw_buf_puts(&out->body, "\n");
		out->used[0] = false;
	}
}

/**
 * cw_out_object() - begin an object; in a table, a row
 * @out: output
 * @key: its name, NULL in a list and for the outermost
 */
void cw_out_object(struct cw_out *out, const char *key)
{
	open_level(out, key, "{");
	if (out->table && out->depth == out->row_depth && !out->json)
		cw_table_row(out->table);
}

void cw_out_object_end(struct cw_out *out)
{
	close_level(out, "}");
}

/**
 * cw_out_list() - begin a list
 * @out: output
 * @key: its name
 *
 * In a row, what the list's values have as text is put one after the other into
 * the column of that name.
 */
void cw_out_list(struct cw_out *out, const char *key)
{
	if (in_row(out) && !out->json)
		cw_table_cell(out->table, key, out->tone);
	open_level(out, key, "[");
}

void cw_out_list_end(struct cw_out *out)
{
	close_level(out, "]");
}

/**
 * cw_out_table() - begin a list of objects that text shows as a table
 * @out: output
 * @key: name of the list
 * @columns: what text shows
 * @n: how many
 */
void cw_out_table(struct cw_out *out, const char *key,
		  const struct cw_column *columns, unsigned int n)
{
	open_level(out, key, "[");
	out->table = cw_table_new(columns, n);
	out->row_depth = out->depth + 1;
}

/**
 * cw_out_table_end() - end the list
 * @out: output
 * @empty: what text says if there are no rows; NULL if there are
 */
void cw_out_table_end(struct cw_out *out, const char *empty)
{
	close_level(out, "]");
	if (!out->json && empty && *empty)
		cw_buf_printf(&out->body, "%s\n", empty);
	else if (!out->json && !empty)
		cw_table_print(out->table, &out->body, out->width, out->colour);
	cw_table_free(out->table);
	out->table = NULL;
}

static void put_text(struct cw_out *out, const char *text)
{
	if (in_row(out))
		cw_table_add(out->table, text);
	else
		cw_text_safe(&out->line, text);
}

/* A value as text: in its column, or within its template. */
static void show(struct cw_out *out, const char *key, const char *value,
		 const char *template)
{
	const char *hole;
	char before[64];

	if (out->table && out->depth == out->row_depth && !template) {
		if (cw_table_cell(out->table, key, out->tone))
			cw_table_add(out->table, value);
		out->tone = CW_PLAIN;
		return;
	}
	hole = template ? strstr(template, "{}") : NULL;
	if (!hole)
		return;
	snprintf(before, sizeof(before), "%.*s", (int)(hole - template),
		 template);
	put_text(out, before);
	put_text(out, value);
	put_text(out, hole + 2);
}

/**
 * cw_out_number() - a number that text says in words
 * @out: output
 * @key: its name
 * @value: the number
 * @text: what text says instead
 * @template: text around it, or NULL
 */
void cw_out_number(struct cw_out *out, const char *key, uint64_t value,
		   const char *text, const char *template)
{
	if (!out->json) {
		show(out, key, text, template);
		return;
	}
	json_key(out, key);
	cw_buf_printf(&out->body, "%ju", (uintmax_t)value);
}

/**
 * cw_out_u64() - a number
 * @out: output
 * @key: its name
 * @value: the number
 * @template: text around it, or NULL
 */
void cw_out_u64(struct cw_out *out, const char *key, uint64_t value,
		const char *template)
{
	char text[24];

	snprintf(text, sizeof(text), "%ju", (uintmax_t)value);
	cw_out_number(out, key, value, text, template);
}

/**
 * cw_out_str() - a text
 * @out: output
 * @key: its name
 * @value: any bytes; NULL, which is null in JSON, if there is none
 * @template: text around it, or NULL
 */
void cw_out_str(struct cw_out *out, const char *key, const char *value,
		const char *template)
{
	if (out->json) {
		json_key(out, key);
		if (value)
			cw_text_json(&out->body, value);
		else
			cw_buf_puts(&out->body, "null");
	} else if (value) {
		show(out, key, value, template);
	}
}

/**
 * cw_out_age() - a time; JSON has it in milliseconds
 * @out: output
 * @key: its name
 * @ms: milliseconds
 * @exact: false if it is a lower bound; text then has a "+" behind it
 * @template: text around it, or NULL
 */
void cw_out_age(struct cw_out *out, const char *key, uint64_t ms, bool exact,
		const char *template)
{
	char age[CW_AGE_TEXT], text[CW_AGE_TEXT + 1];

	snprintf(text, sizeof(text), "%s%s",
		 cw_text_age(ms, age, sizeof(age)), exact ? "" : "+");
	cw_out_number(out, key, ms, text, template);
}

/**
 * cw_out_bool() - true or false, for JSON only
 * @out: output
 * @key: its name
 * @value: the value
 */
void cw_out_bool(struct cw_out *out, const char *key, bool value)
{
	if (!out->json)
		return;
	json_key(out, key);
	cw_buf_puts(&out->body, value ? "true" : "false");
}

/**
 * cw_out_text() - words around values, for text only
 * @out: output
 * @fmt: as for printf(3)
 */
void cw_out_text(struct cw_out *out, const char *fmt, ...)
{
	char text[1024];
	va_list args;

	if (out->json)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	put_text(out, text);
}

/**
 * cw_out_raw() - text as it is, also if JSON is wanted: help and the like
 * @out: output
 * @text: the text
 */
void cw_out_raw(struct cw_out *out, const char *text)
{
	cw_buf_puts(&out->body, text);
}

/**
 * cw_out_tone() - how the next value looks in its column
 * @out: output
 * @tone: the look
 */
void cw_out_tone(struct cw_out *out, enum cw_tone tone)
{
	out->tone = tone;
}

/**
 * cw_out_end_line() - end a line of text; it stays one line, however long
 * @out: output
 */
void cw_out_end_line(struct cw_out *out)
{
	if (out->json)
		return;
	cw_buf_add(&out->body, out->line.text, out->line.len);
	cw_buf_puts(&out->body, "\n");
	out->line.len = 0;
}

/* Ends a text, which is broken into lines at its blanks. */
static void end_text(struct cw_out *out, unsigned int indent, size_t room)
{
	const char *at = out->line.text, *end;
	size_t column = 0;

	if (out->json || !out->line.len)
		return;
	end = at + out->line.len;
	while (at < end) {
		const char *word = at;
		size_t width;

		while (word < end && *word == ' ')
			word++;
		word += strcspn(word, " ");
		width = cw_text_width(at, word - at);
		if (column && column + width > room) {
			cw_buf_puts(&out->body, "\n");
			cw_buf_fill(&out->body, ' ', indent);
			at += strspn(at, " ");
			column = indent;
			width = cw_text_width(at, word - at);
		}
		cw_buf_add(&out->body, at, word - at);
		column += width;
		at = word;
	}
	cw_buf_puts(&out->body, "\n");
	out->line.len = 0;
}

/**
 * cw_out_end_paragraph() - end a text, which is broken into lines at its blanks
 * @out: output
 * @indent: blanks before each line but the first
 */
void cw_out_end_paragraph(struct cw_out *out, unsigned int indent)
{
	end_text(out, indent, out->prose);
}

/**
 * cw_out_end_record() - end a text that is like the row of a table
 * @out: output
 * @indent: blanks before each line but the first
 */
void cw_out_end_record(struct cw_out *out, unsigned int indent)
{
	end_text(out, indent, out->width);
}
