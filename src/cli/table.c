/*
 * cli/table.c - every command, in the order of `chela --help`.
 */
#include "cli/cli.h"

static const struct cli_command *const commands[] = {
	&cli_setup,
	&cli_onboard,
	&cli_gateway_run,
	&cli_gateway_status,
	&cli_gateway_call,
	&cli_gateway_stop,
	&cli_status,
	&cli_health,
	&cli_dashboard,
	&cli_agent,
	&cli_chat,
	&cli_sessions,
	&cli_sessions_search,
	&cli_models_status,
	&cli_sessions_rename,
	&cli_sessions_archive,
	&cli_sessions_compact,
	&cli_sessions_export,
	&cli_sessions_delete,
	&cli_sessions_cleanup,
	&cli_models_list,
	&cli_models_set,
	&cli_models_set_image,
	&cli_models_aliases_list,
	&cli_models_aliases_add,
	&cli_models_aliases_remove,
	&cli_models_fallbacks_list,
	&cli_models_fallbacks_add,
	&cli_models_fallbacks_remove,
	&cli_models_fallbacks_clear,
	&cli_models_refresh,
	&cli_models_probe,
	&cli_models_auth_list,
	&cli_models_auth_login,
	&cli_models_auth_paste_api_key,
	&cli_models_auth_paste_token,
	&cli_models_auth_setup_token,
	&cli_models_auth_logout,
	&cli_models_auth_order_get,
	&cli_models_auth_order_set,
	&cli_models_auth_order_clear,
	&cli_devices_list,
	&cli_devices_approve,
	&cli_devices_reject,
	&cli_devices_revoke,
	&cli_agents_list,
	&cli_agents_add,
	&cli_agents_set_identity,
	&cli_agents_delete,
	&cli_config_get,
	&cli_config_set,
	&cli_config_unset,
	&cli_config_file,
	&cli_config_validate,
	&cli_usage,
	&cli_logs,
};

const struct cli_command *const *cli_commands(size_t *ret_count)
{
	*ret_count = CH_ARRAY_LEN(commands);
	return commands;
}
