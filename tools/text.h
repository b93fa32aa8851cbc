/* SPDX-License-Identifier: GPL-2.0 */
/* Text of unknown origin made safe for a terminal and for JSON. */
#ifndef CW_TEXT_H
#define CW_TEXT_H

#include <stdint.h>

#include "buf.h"

#define CW_AGE_TEXT	32

void cw_text_safe(struct cw_buf *to, const char *text);
void cw_text_json(struct cw_buf *to, const char *text);
size_t cw_text_width(const char *text, size_t len);
size_t cw_text_fit(const char *text, size_t len, size_t width);
const char *cw_text_age(uint64_t ms, char *buf, size_t size);

#endif /* CW_TEXT_H */
