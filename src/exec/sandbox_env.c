/*
 * exec/sandbox_env.c - which variables a call may give to a command.
 *
 * Inside the sandbox none of these leads out of it; they are refused so that what a person reads is what runs: a loader's or an
 * interpreter's start-up variable makes another program of the one that was named.
 */
#include <ctype.h>
#include <string.h>

#include "core/str.h"
#include "exec/sandbox_priv.h"

static const char *const prefixes[] = { "BASH_FUNC_", "DYLD_", "GIT_CONFIG_", "LD_", "_RLD" };
static const char *const names[] = {
	"BASHOPTS", "BASH_ENV", "BUN_OPTIONS", "CLASSPATH", "DENO_OPTIONS", "ENV", "GCONV_PATH", "GETCONF_DIR", "GIT_ASKPASS",
	"GIT_EDITOR", "GIT_EXEC_PATH", "GIT_EXTERNAL_DIFF", "GIT_PAGER", "GIT_PROXY_COMMAND", "GIT_SSH", "GIT_SSH_COMMAND",
	"GIT_TEMPLATE_DIR", "GLIBC_TUNABLES", "HOSTALIASES", "IFS", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "LOCALDOMAIN",
	"LOCPATH", "LUA_INIT", "MALLOC_CHECK_", "MALLOC_PERTURB_", "NIS_PATH", "NLSPATH", "NODE_OPTIONS", "NODE_PATH", "PAGER",
	"PERL5DB", "PERL5LIB", "PERL5OPT", "PERLLIB", "PHPRC", "PHP_INI_SCAN_DIR", "PROMPT_COMMAND", "PS4", "PYTHONBREAKPOINT",
	"PYTHONHOME", "PYTHONINSPECT", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONUSERBASE", "RESOLV_HOST_CONF", "RES_OPTIONS",
	"RUBYLIB", "RUBYOPT", "SHELLOPTS", "SSH_ASKPASS", "TZDIR", "ZDOTDIR", "_JAVA_OPTIONS",
};

static bool is_name(const char *s, size_t n)
{
	if (!n || isdigit((unsigned char)s[0]))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)s[i]) && s[i] != '_')
			return false;
	return true;
}

const char *sandbox_env_refusal(struct arena *a, const char *name_and_value)
{
	const char *eq = strchr(name_and_value, '=');
	const char *name;

	if (!eq || !is_name(name_and_value, (size_t)(eq - name_and_value)))
		return "an environment variable is written NAME=value, the name of letters, digits and _";
	name = arena_strndup(a, name_and_value, (size_t)(eq - name_and_value));
	for (size_t i = 0; i < CH_ARRAY_LEN(prefixes); i++)
		if (str_starts(name, prefixes[i]))
			return arena_printf(a, "the variable %s is not given to commands: it changes what a program loads", name);
	if (str_in(name, names, CH_ARRAY_LEN(names)))
		return arena_printf(a, "the variable %s is not given to commands: it changes what a program runs", name);
	return NULL;
}
