/*
 * gateway/scope.h - operator scopes: names, implications, ordered lists.
 *
 * A client's declared scopes are only ever intersected with what was granted. admin implies
 * all; write implies read and talk; the others stand for themselves.
 */
#ifndef CH_GATEWAY_SCOPE_H
#define CH_GATEWAY_SCOPE_H

#include "core/json.h"
#include "gateway/gw.h"

#define SCOPE_COUNT 10
#define SCOPE_ALL ((1u << SCOPE_COUNT) - 1)

/* Scopes in the order in which they were asked for. Invariant: `bits` is the union of `order`. */
struct scope_list {
	unsigned bits;
	uint8_t count;
	uint8_t order[SCOPE_COUNT];      /* bit numbers */
};

const char *scope_name(unsigned scope);                /* of one bit: "operator.read" */
unsigned scope_find(const char *name, size_t len);     /* 0: unknown */
/* Is every bit of `needed` covered by `granted` or its implications? */
bool scope_allows(unsigned granted, unsigned needed);
/* The lowest bit of `needed` that is not covered; 0: none. */
unsigned scope_missing(unsigned granted, unsigned needed);

void scope_list_add(struct scope_list *l, unsigned scope);
void scope_list_add_all(struct scope_list *l, const struct scope_list *more);
/* From a JSON array of strings; unknown names are left out. */
void scope_list_from_json(struct scope_list *l, const struct json *arr);
/* From "a,b c": names separated by commas or spaces; unknown ones are left out. NULL: nothing. */
void scope_list_from_text(struct scope_list *l, const char *text);
/* "operator.read,operator.write" on the arena. */
char *scope_list_text(struct arena *a, const struct scope_list *l);
/* Keeps what `bits` holds by name: no implications, as a cap must not widen. */
void scope_list_cap(struct scope_list *l, unsigned bits);
/* A JSON array. */
void scope_list_write(struct jw *w, const struct scope_list *l);
struct json *scope_list_json(struct arena *a, const struct scope_list *l);

#endif
