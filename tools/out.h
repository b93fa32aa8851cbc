/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Output.  The same calls make text and JSON, so that the two cannot tell
 * different things.  All of it is kept until cw_out_flush().
 *
 * Values have a key, which is their name in JSON.  In a row of a table it is
 * also the column that shows them.  Elsewhere text shows a value where its
 * template has "{}"; without a template only JSON has it.
 */
#ifndef CW_OUT_H
#define CW_OUT_H

#include <stdbool.h>
#include <stdint.h>

#include "table.h"

struct cw_out;

struct cw_out *cw_out_new(bool json);
void cw_out_free(struct cw_out *out);
int cw_out_flush(struct cw_out *out);
void cw_out_drop(struct cw_out *out);
bool cw_out_json(const struct cw_out *out);

void cw_out_object(struct cw_out *out, const char *key);
void cw_out_object_end(struct cw_out *out);
void cw_out_list(struct cw_out *out, const char *key);
void cw_out_list_end(struct cw_out *out);
void cw_out_table(struct cw_out *out, const char *key,
		  const struct cw_column *columns, unsigned int n);
void cw_out_table_end(struct cw_out *out, const char *empty);

void cw_out_u64(struct cw_out *out, const char *key, uint64_t value,
		const char *template);
void cw_out_number(struct cw_out *out, const char *key, uint64_t value,
		   const char *text, const char *template);
void cw_out_str(struct cw_out *out, const char *key, const char *value,
		const char *template);
void cw_out_age(struct cw_out *out, const char *key, uint64_t ms, bool exact,
		const char *template);
void cw_out_bool(struct cw_out *out, const char *key, bool value);
void cw_out_text(struct cw_out *out, const char *fmt, ...) __printf(2, 3);
void cw_out_raw(struct cw_out *out, const char *text);
void cw_out_tone(struct cw_out *out, enum cw_tone tone);
void cw_out_end_line(struct cw_out *out);
void cw_out_end_paragraph(struct cw_out *out, unsigned int indent);
void cw_out_end_record(struct cw_out *out, unsigned int indent);

#endif /* CW_OUT_H */
