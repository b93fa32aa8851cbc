/* SPDX-License-Identifier: GPL-2.0 */
/* Text that grows. */
#ifndef CW_BUF_H
#define CW_BUF_H

#include <stddef.h>

#include "error.h"

/**
 * struct cw_buf - text that grows; all zero is empty
 * @text: ends in NUL, NULL as long as nothing was added
 * @len: bytes without the NUL
 * @room: bytes that @text has room for
 */
struct cw_buf {
	char *text;
	size_t len;
	size_t room;
};

void cw_buf_add(struct cw_buf *buf, const void *data, size_t size);
void cw_buf_fill(struct cw_buf *buf, char c, size_t n);
void cw_buf_puts(struct cw_buf *buf, const char *text);
void cw_buf_printf(struct cw_buf *buf, const char *fmt, ...) __printf(2, 3);
void cw_buf_free(struct cw_buf *buf);

#endif /* CW_BUF_H */
