/*
 * oracle_jansson.h - jansson behind names of its own: its header and
 * core/json.h define the same ones and cannot be included together.
 */
#ifndef CH_TESTS_FUZZ_ORACLE_JANSSON_H
#define CH_TESTS_FUZZ_ORACLE_JANSSON_H

#include "core/auto.h"

enum oracle_type { ORACLE_OBJ, ORACLE_ARR, ORACLE_STR, ORACLE_INT, ORACLE_NUM, ORACLE_BOOL, ORACLE_NULL };

struct oracle;                   /* a json_t */

/* NULL when refused; then *ret_beyond says that jansson's types were too small, not the syntax wrong. */
struct oracle *oracle_parse(const void *text, size_t n, bool *ret_beyond);
void oracle_free(struct oracle *o);
enum oracle_type oracle_type(const struct oracle *o);
size_t oracle_size(const struct oracle *o);
const struct oracle *oracle_member(const struct oracle *o, const char *key);
const struct oracle *oracle_item(const struct oracle *o, size_t i);
const char *oracle_str(const struct oracle *o, size_t *ret_len);
int64_t oracle_int(const struct oracle *o);
double oracle_num(const struct oracle *o);
bool oracle_bool(const struct oracle *o);

#endif
