/*
 * gateway/device_rows.h - columns that devices.c and device_tokens.c both read and write.
 */
#ifndef CH_GATEWAY_DEVICE_ROWS_H
#define CH_GATEWAY_DEVICE_ROWS_H

#include "gateway/devices.h"

char *row_text(struct db_stmt *s, int col, struct arena *a);           /* NULL for null */
void row_scopes(struct db_stmt *s, int col, struct arena *a, struct scope_list *ret);
char *scopes_column(struct arena *a, const struct scope_list *l);      /* a JSON array */

#endif
