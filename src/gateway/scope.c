/*
 * gateway/scope.c - the closed set of operator scopes.
 */
#include "gateway/scope.h"

#include "core/str.h"

/* By bit number: the order of enum gw_scope. */
static const char *const scope_names[SCOPE_COUNT] = {
	"operator.read",      "operator.write", "operator.admin",        "operator.approvals",
	"operator.questions", "operator.pairing", "operator.talk",       "operator.talk.secrets",
	"operator.sessions.read", "operator.sessions.write",
};

_Static_assert(GW_SCOPE_SESSIONS_WRITE == 1 << (SCOPE_COUNT - 1), "scope_names follows enum gw_scope");

const char *scope_name(unsigned scope)
{
	for (unsigned i = 0; i < SCOPE_COUNT; i++)
		if (scope & (1u << i))
			return scope_names[i];
	return "operator.admin";
}

unsigned scope_find(const char *name, size_t len)
{
	for (unsigned i = 0; i < SCOPE_COUNT; i++)
		if (strlen(scope_names[i]) == len && memcmp(scope_names[i], name, len) == 0)
			return 1u << i;
	return 0;
}

/* With what they imply. */
static unsigned expand(unsigned bits)
{
	if (bits & GW_SCOPE_ADMIN)
		return SCOPE_ALL;
	if (bits & GW_SCOPE_WRITE)
		bits |= GW_SCOPE_READ | GW_SCOPE_TALK | GW_SCOPE_SESSIONS_WRITE;
	if (bits & GW_SCOPE_SESSIONS_WRITE)
		bits |= GW_SCOPE_SESSIONS_READ;
	if (bits & GW_SCOPE_READ)
		bits |= GW_SCOPE_SESSIONS_READ;
	return bits;
}

bool scope_allows(unsigned granted, unsigned needed)
{
	return (needed & ~expand(granted)) == 0;
}

unsigned scope_missing(unsigned granted, unsigned needed)
{
	unsigned missing = needed & ~expand(granted);

	return missing & -missing;
}

void scope_list_add(struct scope_list *l, unsigned scope)
{
	for (unsigned i = 0; i < SCOPE_COUNT; i++) {
		unsigned bit = 1u << i;

		if (!(scope & bit) || (l->bits & bit))
			continue;
		l->bits |= bit;
		l->order[l->count++] = (uint8_t)i;
	}
}

void scope_list_add_all(struct scope_list *l, const struct scope_list *more)
{
	for (unsigned i = 0; i < more->count; i++)
		scope_list_add(l, 1u << more->order[i]);
}

void scope_list_from_json(struct scope_list *l, const struct json *arr)
{
	json_each(it, arr)
	{
		if (json_is(it, JSON_STR))
			scope_list_add(l, scope_find(it->str, it->len));
	}
}

void scope_list_from_text(struct scope_list *l, const char *text)
{
	while (text && *text) {
		size_t n = strcspn(text, ", \t");

		if (n > 0)
			scope_list_add(l, scope_find(text, n));
		text += n + (text[n] != '\0');
	}
}

char *scope_list_text(struct arena *a, const struct scope_list *l)
{
	char *text = arena_strdup(a, "");

	for (unsigned i = 0; i < l->count; i++)
		text = arena_printf(a, "%s%s%s", text, i ? "," : "", scope_names[l->order[i]]);
	return text;
}

void scope_list_cap(struct scope_list *l, unsigned bits)
{
	struct scope_list kept = {0};

	for (unsigned i = 0; i < l->count; i++)
		if (bits & (1u << l->order[i]))
			scope_list_add(&kept, 1u << l->order[i]);
	*l = kept;
}

void scope_list_write(struct jw *w, const struct scope_list *l)
{
	jw_arr(w);
	for (unsigned i = 0; i < l->count; i++)
		jw_str(w, scope_names[l->order[i]]);
	jw_end(w);
}

struct json *scope_list_json(struct arena *a, const struct scope_list *l)
{
	struct json *arr = json_new_arr(a);

	for (unsigned i = 0; i < l->count; i++)
		json_push(arr, json_new_str(a, scope_names[l->order[i]]));
	return arr;
}
