/*
 * core/num.h - decimal text to double and back, whatever the locale says.
 */
#ifndef CH_CORE_NUM_H
#define CH_CORE_NUM_H

#include "core/auto.h"

#define NUM_TEXT_LEN 32   /* enough for any double as num_format() writes it */

/*
 * The double nearest to a decimal number: [+-] digits [. digits] [e [+-] digits],
 * with at least one digit before or after the point, and nothing else.
 * Too large a number gives an infinity.
 */
bool num_parse(const char *s, double *ret_value);
/*
 * The shortest text that reads back as the same double, laid out as
 * JavaScript does (1e21, 0.000001, 1e-7, 5e-324): gives its length.
 * The value must be finite; -0 is written as 0.
 */
size_t num_format(double value, char ret_text[NUM_TEXT_LEN]);
/* Decimal digits of an integer: gives the length; not terminated, 20 bytes at most. */
size_t num_format_i64(int64_t value, char ret_text[NUM_TEXT_LEN]);

#endif
