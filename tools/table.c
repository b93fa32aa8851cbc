// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "table.h"
#include "text.h"

#define INDENT	4	/* of what goes on in the next line */
#define CUT_MIN	24	/* what is cut keeps so many columns */

struct cell {
	size_t at;
	size_t len;
	enum cw_tone tone;
};

/* Where a column goes; width 0: nowhere. */
struct place {
	size_t width;
	bool breaks;	/* begins a line */
};

struct cw_table {
	const struct cw_column *columns;
	unsigned int n;
	struct cw_buf text;
	struct cell *cells;
	size_t used, room;
	struct cell *open;
	struct place place[CW_COLUMNS_MAX];
};

/**
 * cw_table_new() - a table without rows
 * @columns: its columns; must outlive it
 * @n: how many, CW_COLUMNS_MAX at most
 *
 * Return: the table.
 */
struct cw_table *cw_table_new(const struct cw_column *columns, unsigned int n)
{
	struct cw_table *table = cw_alloc(sizeof(*table));

	table->columns = columns;
	table->n = n;
	return table;
}

void cw_table_free(struct cw_table *table)
{
	cw_buf_free(&table->text);
	free(table->cells);
	free(table);
}

/**
 * cw_table_row() - begin a row
 * @table: all its cells are empty at first
 */
void cw_table_row(struct cw_table *table)
{
	unsigned int i;

	for (i = 0; i < table->n; i++) {
		table->cells = cw_grow(table->cells, table->used, &table->room,
				       sizeof(*table->cells));
		memset(&table->cells[table->used++], 0, sizeof(*table->cells));
	}
	table->open = NULL;
}

/**
 * cw_table_cell() - choose the cell of the last row that text goes to
 * @table: the table
 * @key: of the cell's column
 * @tone: how it looks
 *
 * Return: false if there is no such column; text then goes nowhere.
 */
bool cw_table_cell(struct cw_table *table, const char *key, enum cw_tone tone)
{
	unsigned int i;

	table->open = NULL;
	for (i = 0; i < table->n && table->used; i++) {
		if (strcmp(table->columns[i].key, key))
			continue;
		table->open = &table->cells[table->used - table->n + i];
		table->open->at = table->text.len;
		table->open->tone = tone;
		return true;
	}
	return false;
}

/**
 * cw_table_add() - add text to the chosen cell
 * @table: the table
 * @text: is made safe for a terminal
 */
void cw_table_add(struct cw_table *table, const char *text)
{
	if (!table->open)
		return;
	cw_text_safe(&table->text, text);
	table->open->len = table->text.len - table->open->at;
}

static const char *cell_text(const struct cw_table *table,
			     const struct cell *cell, size_t *len)
{
	*len = cell->len ? cell->len : 1;
	return cell->len ? table->text.text + cell->at : "-";
}

static void natural_widths(struct cw_table *table)
{
	unsigned int i;
	size_t c, len;

	for (i = 0; i < table->n; i++)
		table->place[i].width = strlen(table->columns[i].title);
	for (c = 0; c < table->used; c++) {
		const char *text = cell_text(table, &table->cells[c], &len);
		size_t width = cw_text_width(text, len);

		i = c % table->n;
		if (table->place[i].width < width)
			table->place[i].width = width;
	}
}

static size_t line_width(const struct cw_table *table)
{
	size_t sum = 0;
	unsigned int i;

	for (i = 0; i < table->n; i++)
		if (table->place[i].width)
			sum += table->place[i].width + (sum > 0);
	return sum;
}

/* Leaves out what matters least, until one line has room for the others. */
static void drop_columns(struct cw_table *table, size_t width)
{
	while (line_width(table) > width) {
		unsigned int i, worst = table->n;

		for (i = 0; i < table->n; i++) {
			if (!table->place[i].width || !table->columns[i].rank)
				continue;
			if (worst == table->n || table->columns[i].rank >=
						 table->columns[worst].rank)
				worst = i;
		}
		if (worst == table->n)
			return;
		table->place[worst].width = 0;
	}
}

/* Breaks the line before a column that it has no room for. */
static void break_lines(struct cw_table *table, size_t width)
{
	size_t used = 0;
	unsigned int i;

	for (i = 0; i < table->n; i++) {
		struct place *place = &table->place[i];
		bool cut = table->columns[i].flags & CW_CUT;

		if (!place->width)
			continue;
		if (used && used + 1 + place->width > width) {
			if (cut && used + 1 + CUT_MIN <= width &&
			    i == table->n - 1) {
				place->width = width - used - 1;
			} else {
				place->breaks = true;
				used = INDENT;
			}
		} else if (used) {
			used++;
		}
		if (cut && used + place->width > width)
			place->width = width > used + CUT_MIN ?
				       width - used : CUT_MIN;
		used += place->width;
	}
}

static void begin_tone(struct cw_buf *to, enum cw_tone tone, bool colour)
{
	static const char * const code[] = {
		[CW_PLAIN] = "", [CW_STRONG] = "\033[1m",
		[CW_WARN] = "\033[33m", [CW_BAD] = "\033[31m",
	};

	if (colour)
		cw_buf_puts(to, code[tone]);
}

static void end_tone(struct cw_buf *to, enum cw_tone tone, bool colour)
{
	if (colour && tone != CW_PLAIN)
		cw_buf_puts(to, "\033[0m");
}

/* A text in its column; what had to be cut ends in "...". */
static void print_cell(struct cw_buf *to, const char *text, size_t len,
		       size_t room, bool right, bool last)
{
	size_t width = cw_text_width(text, len), pad;

	pad = width < room ? room - width : 0;
	if (right)
		cw_buf_fill(to, ' ', pad);
	if (width > room) {
		cw_buf_add(to, text, cw_text_fit(text, len, room - 3));
		cw_buf_puts(to, "...");
	} else {
		cw_buf_add(to, text, len);
	}
	if (!right && !last)
		cw_buf_fill(to, ' ', pad);
}

/* The next column that is shown begins a line, or there is none. */
static bool ends_line(const struct cw_table *table, unsigned int i)
{
	while (++i < table->n)
		if (table->place[i].width)
			return table->place[i].breaks;
	return true;
}

/* One row, or the titles if @cells is NULL. */
static void print_row(const struct cw_table *table, const struct cell *cells,
		      struct cw_buf *to, bool colour)
{
	bool first = true;
	unsigned int i;

	for (i = 0; i < table->n; i++) {
		const char *text = table->columns[i].title;
		enum cw_tone tone = CW_STRONG;
		size_t len = strlen(text);

		if (!table->place[i].width)
			continue;
		if (cells) {
			text = cell_text(table, &cells[i], &len);
			tone = cells[i].tone;
		}
		if (table->place[i].breaks)
			cw_buf_fill(to, ' ', INDENT);
		else if (!first)
			cw_buf_puts(to, " ");
		first = false;
		begin_tone(to, tone, colour);
		print_cell(to, text, len, table->place[i].width,
			   table->columns[i].flags & CW_RIGHT,
			   ends_line(table, i));
		end_tone(to, tone, colour);
		if (ends_line(table, i))
			cw_buf_puts(to, "\n");
	}
}

/**
 * cw_table_print() - lay the table out
 * @table: the table
 * @to: where to
 * @width: columns of the terminal
 * @colour: may it be in colour
 *
 * Columns that matter less are left out if there is no room for all. If that is
 * not enough a row goes on in the next line. Only columns with CW_CUT are cut.
 */
void cw_table_print(struct cw_table *table, struct cw_buf *to,
		    unsigned int width, bool colour)
{
	size_t c;

	natural_widths(table);
	drop_columns(table, width);
	break_lines(table, width);
	print_row(table, NULL, to, colour);
	for (c = 0; c < table->used; c += table->n)
		print_row(table, table->cells + c, to, colour);
}
