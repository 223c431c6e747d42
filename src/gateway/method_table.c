/*
 * gateway/method_table.c - all families of methods. A new family is one line here.
 */
#include "gateway/methods/methods.h"

#define FAMILY(name) { name, &name##_count }

/* The order of features.methods. */
static const struct gw_method_family families[] = {
	FAMILY(gwm_system),
	FAMILY(gwm_logs),
	FAMILY(gwm_diagnostics),
	FAMILY(gwm_exec_approvals),
	FAMILY(gwm_restart),
	FAMILY(gwm_secrets),
	FAMILY(gwm_config),
	FAMILY(gwm_config_write),
	FAMILY(gwm_artifacts),
	FAMILY(gwm_audit),
	FAMILY(gwm_models),
	FAMILY(gwm_models_auth),
	FAMILY(gwm_agents),
	FAMILY(gwm_commands),
	FAMILY(gwm_catalog),
	FAMILY(gwm_tasks),
	FAMILY(gwm_tools),
	FAMILY(gwm_agent),
	FAMILY(gwm_chat),
	FAMILY(gwm_chat_history),
	FAMILY(gwm_sessions),
	FAMILY(gwm_sessions_create),
	FAMILY(gwm_sessions_patch),
	FAMILY(gwm_sessions_branch),
	FAMILY(gwm_sessions_groups),
	FAMILY(gwm_sessions_search),
	FAMILY(gwm_sessions_more),
	FAMILY(gwm_sessions_write),
	FAMILY(gwm_dead_letters),
	FAMILY(gwm_device),
	FAMILY(gwm_device_setup),
	FAMILY(gwm_people),
	FAMILY(gwm_users),
	FAMILY(gwm_usage),
	FAMILY(gwm_approvals),
	FAMILY(gwm_approval_request),
	FAMILY(gwm_channels),
	FAMILY(gwm_message),
	FAMILY(gwm_pairing),
	FAMILY(gwm_cron),
	FAMILY(gwm_projects),
	FAMILY(gwm_questions),
	FAMILY(gwm_voicewake),
	FAMILY(gwm_web),
	FAMILY(gwm_wizard),
	FAMILY(gwm_absent),
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
