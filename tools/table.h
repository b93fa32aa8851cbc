/* SPDX-License-Identifier: GPL-2.0 */
/* A table of text that fits the width it is given. */
#ifndef CW_TABLE_H
#define CW_TABLE_H

#include <stdbool.h>

#include "buf.h"

enum {
	CW_RIGHT = 1,	/* numbers */
	CW_CUT = 2,	/* may be cut off where there is no room */
};

enum cw_tone {
	CW_PLAIN,
	CW_STRONG,
	CW_WARN,
	CW_BAD,
};

/**
 * struct cw_column - a column
 * @key: name of the value it shows
 * @title: what stands above it
 * @flags: CW_RIGHT, CW_CUT
 * @rank: 0 is always shown; of the others the highest goes first
 */
struct cw_column {
	const char *key;
	const char *title;
	unsigned int flags;
	unsigned int rank;
};

#define CW_COLUMNS_MAX 24

struct cw_table;

struct cw_table *cw_table_new(const struct cw_column *columns, unsigned int n);
void cw_table_free(struct cw_table *table);
void cw_table_row(struct cw_table *table);
bool cw_table_cell(struct cw_table *table, const char *key, enum cw_tone tone);
void cw_table_add(struct cw_table *table, const char *text);
void cw_table_print(struct cw_table *table, struct cw_buf *to,
		    unsigned int width, bool colour);

#endif /* CW_TABLE_H */
