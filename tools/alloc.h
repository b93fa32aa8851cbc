/* SPDX-License-Identifier: GPL-2.0 */
/* Memory; who asks gets it, or the program ends with status 1. */
#ifndef CW_ALLOC_H
#define CW_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

void cw_alloc_init(bool json);
void __noreturn cw_alloc_failed(void);
void *cw_alloc(size_t size);
void *cw_grow(void *old, size_t n, size_t *room, size_t size);
char *cw_copy(const char *text);

#endif /* CW_ALLOC_H */
