/*
 * gateway/method_table.c - all families of methods. A new family is one line here.
 */
#include "gateway/methods/methods.h"

/* The order of features.methods. */
static const struct gw_method_family families[] = {
	{ gwm_system, &gwm_system_count },
	{ gwm_logs, &gwm_logs_count },
	{ gwm_config, &gwm_config_count },
	{ gwm_models, &gwm_models_count },
	{ gwm_catalog, &gwm_catalog_count },
	{ gwm_agent, &gwm_agent_count },
	{ gwm_chat, &gwm_chat_count },
	{ gwm_chat_history, &gwm_chat_history_count },
	{ gwm_sessions, &gwm_sessions_count },
	{ gwm_sessions_write, &gwm_sessions_write_count },
	{ gwm_device, &gwm_device_count },
	{ gwm_users, &gwm_users_count },
};

const struct gw_method_family *gw_method_families(size_t *ret_count)
{
	*ret_count = CH_ARRAY_LEN(families);
	return families;
}

/* Families are sorted by name; a unit test checks. */
static const struct gw_method *find_in(const struct gw_method_family *f, const char *name)
{
	size_t lo = 0, hi = *f->count;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		int cmp = strcmp(name, f->rows[mid].name);

		if (cmp == 0)
			return &f->rows[mid];
		if (cmp < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

const struct gw_method *gw_method_find(const char *name)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(families); i++) {
		const struct gw_method *row = find_in(&families[i], name);

		if (row)
			return row;
	}
	return NULL;
}
