/*
 * cli/cli.h - the command line: one file per command family, one row per command.
 *
 * A row says everything about a command; parsing, --help, --json errors and exit codes
 * are done once in cli.c. run() is a fiber: it writes its answer to stdout and
 * returns a status; on failure cli.c prints err's text to stderr (with --json:
 * one document on stdout) and exits 1.
 */
#ifndef CH_CLI_CLI_H
#define CH_CLI_CLI_H

#include "config/config.h"
#include "core/arena.h"
#include "core/err.h"
#include "core/json.h"
#include "core/loop.h"

struct db;

#define CLI_OPTS_MAX 24
#define CLI_ARGS_MAX 64
#define CLI_TIMEOUT_MS 10000

struct cli_opt {
	const char *name;                /* "timeout"; without "--" */
	char letter;                     /* 'm', or 0 */
	const char *value;               /* "<ms>": takes one; NULL: a switch */
	const char *help;
};

struct cli {
	struct loop *loop;
	struct arena *arena;
	const char *state_dir;           /* absolute */
	const char *config_path;         /* absolute */
	bool json;                       /* exactly one document on stdout */
	bool color;                      /* stdout is a terminal that wants it */
	int64_t timeout_ms;
	const struct cli_command *command;
	const char *args[CLI_ARGS_MAX];  /* what is not an option */
	size_t arg_count;
	const char *opt_values[CLI_OPTS_MAX];    /* by the row's order; "" for a given switch; the last of several */
	struct { size_t slot; const char *value; } given[CLI_ARGS_MAX];  /* values as they were given; cli_opt_all() */
	size_t given_count;
	int exit_code;                   /* for commands that mean something else than 0/1 */
};

struct cli_command {
	const char *name;                /* "gateway run": one word or more */
	const char *summary;
	const char *args;                /* "<method>", or NULL */
	size_t args_min, args_max;
	const struct cli_opt *opts;      /* {0}-ended, or NULL; the common ones are added */
	const char *examples;            /* whole lines, each after two blanks; or NULL */
	CH_FIBER CH_MUST_USE ch_status (*run)(struct cli *c, struct ch_err *err);
};

/* All commands in help order (cli/table.c). */
const struct cli_command *const *cli_commands(size_t *ret_count);
int cli_main(int argc, char **argv);

/* The value of an option ("" for a switch), or NULL when it was not given. */
const char *cli_opt(const struct cli *c, const char *name);
bool cli_flag(const struct cli *c, const char *name);
/* CH_E_INVALID when it was given and is blank: an empty variable of a script must not mean "any". */
CH_MUST_USE ch_status cli_opt_not_blank(struct cli *c, const char *name, struct ch_err *err);
/* All values of an option that may be given several times, in order; how many (at most cap). */
size_t cli_opt_all(const struct cli *c, const char *name, const char **ret, size_t cap);
CH_MUST_USE ch_status cli_opt_int(const struct cli *c, const char *name, int64_t def, int64_t min, int64_t max,
				  int64_t *ret, struct ch_err *err);

/* The configuration as the gateway would read it; a missing file is all defaults, a broken one is an error. */
CH_MUST_USE ch_status cli_config(struct cli *c, struct config **ret, struct ch_err *err);
/* The same for one who writes: follows includes, keeps comments, does not watch. */
CH_MUST_USE ch_status cli_config_store(struct cli *c, struct config_store **ret, struct ch_err *err);
/* The state's database for writing; beside a gateway that runs, then *ret_is_beside (which may be NULL). */
CH_MUST_USE ch_status cli_state_db(struct cli *c, struct db **ret, bool *ret_is_beside, struct ch_err *err);
/* The lines of a file, a pipe or a terminal, for a fiber. CH_E_EOF at the end; the line is on the heap (ch_free). */
CH_FIBER CH_MUST_USE ch_status cli_read_line(struct cli *c, char **ret_line, struct ch_err *err);

/* Forgets what was typed ahead: it was not meant for the question that comes now. */
void cli_drop_typed(void);

/* -- output (cli/out.c) -- */
void cli_print(const char *fmt, ...) CH_PRINTF(1, 2);
void cli_print_json(const struct json *v);                       /* one document, indented, newline */
/* Text from outside for a terminal: control bytes are shown, not sent. On the arena. */
const char *cli_safe(struct arena *a, const char *s);
const char *cli_text(struct cli *c, const struct json *v, const char *name);     /* a member, made safe; "" when there is none */
const char *cli_span(struct arena *a, int64_t ms);               /* "3m", the largest unit that is whole */
const char *cli_ago(struct arena *a, int64_t wall_ms);           /* "3m ago", "-" for 0 */
enum cli_style { CLI_PLAIN, CLI_BOLD, CLI_DIM, CLI_GREEN, CLI_YELLOW, CLI_RED, CLI_CYAN };
const char *cli_on(const struct cli *c, enum cli_style s);       /* "" without colour */
const char *cli_off(const struct cli *c);
/* A table: rows of cells, widths from the content. */
struct cli_table;
struct cli_table *cli_table_new(struct arena *a, const char *const *headings, size_t columns);
void cli_table_row(struct cli_table *t, const char *const *cells);    /* text from outside is made safe */
void cli_table_paint(struct cli_table *t, size_t column, enum cli_style s);      /* a cell of the row added last */
void cli_table_print(const struct cli *c, const struct cli_table *t);

/* Rows, one family per file. */
extern const struct cli_command cli_gateway_run, cli_gateway_status, cli_gateway_call, cli_gateway_stop;
extern const struct cli_command cli_setup, cli_onboard;
extern const struct cli_command cli_sandbox_explain, cli_sandbox_list;
extern const struct cli_command cli_status, cli_health, cli_doctor, cli_agent, cli_chat, cli_sessions;
extern const struct cli_command cli_config_get, cli_config_set, cli_config_unset, cli_config_file, cli_config_validate;
extern const struct cli_command cli_devices_list, cli_devices_approve, cli_devices_reject, cli_devices_revoke;
extern const struct cli_command cli_devices_join_code, cli_devices_setup_code;
extern const struct cli_command cli_channels_list, cli_channels_status, cli_channels_add, cli_channels_login, cli_channels_remove,
	cli_channels_logout, cli_channels_start, cli_channels_stop, cli_channels_logs, cli_channels_letters, cli_channels_resubmit;
extern const struct cli_command cli_pairing_list, cli_pairing_grants, cli_pairing_approve, cli_pairing_dismiss, cli_pairing_revoke;
extern const struct cli_command cli_sessions_search;
extern const struct cli_command cli_sessions_rename, cli_sessions_archive, cli_sessions_compact, cli_sessions_delete;
extern const struct cli_command cli_sessions_cleanup, cli_sessions_export;
extern const struct cli_command cli_models_auth_list, cli_models_auth_login, cli_models_auth_paste_api_key,
	cli_models_auth_paste_token, cli_models_auth_setup_token, cli_models_auth_logout, cli_models_auth_order_get,
	cli_models_auth_order_set, cli_models_auth_order_clear;
extern const struct cli_command cli_models_list, cli_logs, cli_dashboard, cli_usage;
extern const struct cli_command cli_models_status, cli_models_set, cli_models_set_image, cli_models_aliases_list,
	cli_models_aliases_add, cli_models_aliases_remove, cli_models_fallbacks_list, cli_models_fallbacks_add,
	cli_models_fallbacks_remove, cli_models_fallbacks_clear, cli_models_refresh, cli_models_probe;
extern const struct cli_command cli_secrets_list, cli_secrets_set, cli_secrets_get, cli_secrets_rm, cli_secrets_reload;
extern const struct cli_command cli_secrets_store_list, cli_secrets_store_set, cli_secrets_store_get, cli_secrets_store_rm;
extern const struct cli_command cli_approvals_list, cli_approvals_show, cli_approvals_allow, cli_approvals_deny, cli_approvals_watch,
	cli_approvals_history, cli_approvals_get, cli_approvals_set, cli_approvals_grants, cli_approvals_revoke;
extern const struct cli_command cli_tools_list, cli_tools_explain, cli_audit;
extern const struct cli_command cli_message_send, cli_message_poll, cli_message_react, cli_message_edit, cli_message_delete,
	cli_message_read;
extern const struct cli_command cli_agents_list, cli_agents_add, cli_agents_set_identity, cli_agents_delete;

#endif
