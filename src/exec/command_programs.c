/*
 * exec/command_programs.c - what is known of programs by name: words of the shell, wrappers that run another command,
 * interpreters.
 *
 * Everything here errs on one side: an option that is not in a row makes the wrapper unreadable, a name in a table is
 * meant whatever folder it stands in, and what follows it without a letter does not count (python3.11 is python).
 */
#include "core/str.h"
#include "exec/command_priv.h"

/* ---- words of the shell (POSIX XCU 2.4, 2.14, and what bash adds) ---- */

static const char keywords[] =
	" ! [[ ]] case coproc do done elif else end esac fi for foreach function if in nocorrect"
	" noglob repeat select then time until while { } ";

/* echo, printf, true, false, test and pwd are programs too and do the same. */
static const char builtins[] =
	" . : alias autoload bg bind break builtin caller cd chdir command compgen complete"
	" compopt continue declare dirs disown emulate enable eval exec exit export fc fg float"
	" getopts hash help history integer jobs kill let local logout mapfile popd print pushd"
	" read readarray readonly rehash return set setopt shift shopt source suspend times trap"
	" type typeset ulimit umask unalias unset unsetopt wait whence zmodload ";

/* Is the word in a list of words between blanks? */
static bool is_word_of(const char *list, const char *word, size_t n)
{
	if (memchr(word, ' ', n))
		return false;
	for (const char *p = list; (p = strchr(p, ' ')) && *++p;)
		if (strncmp(p, word, n) == 0 && p[n] == ' ')
			return true;
	return false;
}

bool cmd_is_keyword(const char *word)
{
	return is_word_of(keywords, word, strlen(word));
}

bool cmd_is_builtin(const char *word)
{
	return is_word_of(builtins, word, strlen(word));
}

/* ---- wrappers ---- */

enum wrapper_bits {
	W_NUMBER = 1,                    /* -10 is an option (nice) */
	W_ASSIGNS = 2,                   /* NAME=value may stand before the command */
	W_OPTS_ENV = 4,                  /* any option changes the environment (env -i, -u) */
};

struct wrapper {
	const char *name;
	const char *flags, *args;        /* short options without and with an argument */
	const char *long_flags, *long_args;      /* long ones, each between blanks */
	unsigned char operands;          /* words between the options and the command */
	unsigned char bits;
	unsigned traits;
};

static const struct wrapper wrappers[] = {
	{ "chrt", "abfior", "", " --all-tasks --batch --fifo --idle --other --rr ", " ", 1, 0, 0 },
	{ "doas", "n", "u", " ", " ", 0, 0, CMD_T_PRIVILEGE },
	{ "env", "i0v", "u", " --ignore-environment --null --debug ", " --unset ", 0, W_ASSIGNS | W_OPTS_ENV, 0 },
	{ "flock", "eFnosux", "Ew", " --exclusive --nb --no-fork --nonblock --close --shared --unlock ",
	  " --conflict-exit-code --timeout --wait ", 1, 0, 0 },
	{ "ionice", "t", "cn", " --ignore ", " --class --classdata ", 0, 0, 0 },
	{ "nice", "", "n", " ", " --adjustment ", 0, W_NUMBER, 0 },
	{ "nohup", "", "", " ", " ", 0, 0, 0 },
	{ "setsid", "cw", "", " --ctty --wait ", " ", 0, 0, 0 },
	{ "stdbuf", "", "eio", " ", " --error --input --output ", 0, 0, 0 },
	{ "sudo", "Hn", "gu", " --non-interactive --set-home ", " --group --user ", 0, W_ASSIGNS, CMD_T_PRIVILEGE },
	{ "taskset", "ac", "", " --all-tasks --cpu-list ", " ", 1, 0, 0 },
	{ "time", "pv", "f", " --portability --verbose ", " --format ", 0, 0, 0 },
	{ "timeout", "fv", "ks", " --foreground --preserve-status --verbose ", " --kill-after --signal ", 1, 0, 0 },
	{ "xargs", "0rtx", "EILPds", " --null --no-run-if-empty --verbose --exit ", " --max-args --max-procs --delimiter ", 0, 0,
	  CMD_T_INTERPRETER },
};

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static const struct wrapper *wrapper_find(const char *path)
{
	const char *name = base_name(path);

	for (size_t i = 0; i < CH_ARRAY_LEN(wrappers); i++)
		if (str_eq(wrappers[i].name, name))
			return &wrappers[i];
	return NULL;
}

/* A long option by its whole name, "=value" aside. */
static bool is_listed(const char *list, const char *word)
{
	return is_word_of(list, word, strcspn(word, "="));
}

/* How many words a cluster of short options takes; 0: not understood. */
static size_t short_words(const struct wrapper *w, const char *word)
{
	for (const char *p = word + 1; *p; p++) {
		if (strchr(w->args, *p))
			return p[1] ? 1 : 2;
		if (!strchr(w->flags, *p))
			return 0;
	}
	return 1;
}

static size_t option_words(const struct wrapper *w, const char *word)
{
	if (w->bits & W_NUMBER && word[1] >= '0' && word[1] <= '9' && !word[1 + strspn(word + 1, "0123456789")])
		return 1;
	if (word[1] != '-')
		return short_words(w, word);
	if (is_listed(w->long_flags, word))
		return strchr(word, '=') ? 0 : 1;
	if (is_listed(w->long_args, word))
		return strchr(word, '=') ? 1 : 2;
	return 0;
}

/*
 * Where the inner command begins; argc: there is none, so the wrapper is a program like others. Options end at the first
 * word that is none, as these programs read them. False: not understood.
 */
static bool inner_command(const struct wrapper *w, const char *const *argv, size_t argc, size_t *ret_at, unsigned *traits)
{
	size_t i = 1, n;

	while (i < argc && argv[i][0] == '-') {
		if (str_eq(argv[i], "--")) {
			i++;
			break;
		}
		n = argv[i][1] ? option_words(w, argv[i]) : 0;
		if (w->bits & W_OPTS_ENV)
			*traits |= CMD_T_ENV;
		if (!n)
			return false;
		i += n;
	}
	i += w->operands;
	while (w->bits & W_ASSIGNS && i < argc && strchr(argv[i], '=')) {
		*traits |= CMD_T_ENV;
		i++;
	}
	*ret_at = CH_MIN(i, argc);
	return i >= argc || (argv[i][0] && argv[i][0] != '-');
}

/* ---- programs that do what other text tells them ---- */

enum program_bits {
	P_STDIN = 1,                     /* without an operand the code is standard input */
	P_ALWAYS = 2,                    /* an argument is code, or a file that is read unasked is */
	P_SHELL = 4,
	P_ONLY_WITH = 8,                 /* an interpreter only with one of the options */
	P_ROOT = 16,
};

enum program_opts {
	OPTS_NONE,
	OPTS_BSDTAR,
	OPTS_BUN,
	OPTS_DC,
	OPTS_DENO,
	OPTS_ELIXIR,
	OPTS_EMACS,
	OPTS_ERL,
	OPTS_FD,
	OPTS_FIND,
	OPTS_GDB,
	OPTS_GIT,
	OPTS_GTAR,
	OPTS_MAN,
	OPTS_MYSQL,
	OPTS_NCAT,
	OPTS_NMAP,
	OPTS_NODE,
	OPTS_NPX,
	OPTS_NVIM,
	OPTS_PHP,
	OPTS_POWERSHELL,
	OPTS_PSQL,
	OPTS_RG,
	OPTS_RSYNC,
	OPTS_SORT,
	OPTS_SPLIT,
	OPTS_SQLITE,
	OPTS_WGET,
	OPTS_ZIP,
	OPTS_CPIO,
	OPTS_IP,
	OPTS_OPENSSL,
	OPTS_REDIS_CLI,
	OPTS_COUNT,
};

/* Long options whose argument is code, and find's words, each between blanks. */
static const char *const program_opts[OPTS_COUNT] = {
	[OPTS_NONE] = " ",
	[OPTS_REDIS_CLI] = " --eval ",
	[OPTS_OPENSSL] = " -engine -provider -provider-path engine ",
	[OPTS_IP] = " exec -b -batch ",
	[OPTS_CPIO] = " --rsh-command ",
	[OPTS_BSDTAR] = " --use-compress-program ",
	[OPTS_BUN] = " --eval --print ",
	[OPTS_DC] = " --expression ",
	[OPTS_DENO] = " eval ",
	[OPTS_ELIXIR] = " --eval ",
	[OPTS_EMACS] = " --eval --execute --load -f -l ",
	[OPTS_ERL] = " -eval ",
	[OPTS_FD] = " --exec --exec-batch ",
	[OPTS_FIND] = " -delete -exec -execdir -fls -fprint -fprint0 -fprintf -ok -okdir ",
	[OPTS_GDB] = " -ex -eval-command --eval-command ",
	[OPTS_GIT] = " -c --config-env --exec-path --upload-pack --receive-pack ",
	[OPTS_GTAR] = (" --checkpoint-action --info-script --new-volume-script "
		"--rmt-command --rsh-command --to-command --use-compress-program "),
	[OPTS_MAN] = " --html --pager ",
	[OPTS_MYSQL] = " --execute ",
	[OPTS_NCAT] = " --exec --sh-exec --lua-exec ",
	[OPTS_NMAP] = " --script ",
	[OPTS_NODE] = " --eval --print --require --import -r ",
	[OPTS_NPX] = " --call ",
	[OPTS_NVIM] = " --cmd ",
	[OPTS_PHP] = " --run --process-begin --process-code ",
	[OPTS_POWERSHELL] = " -command -encodedcommand ",
	[OPTS_PSQL] = " --command ",
	[OPTS_RG] = " --hostname-bin --pre ",
	[OPTS_RSYNC] = " --rsh --rsync-path ",
	[OPTS_SORT] = " --compress-program ",
	[OPTS_SPLIT] = " --filter ",
	[OPTS_SQLITE] = " -cmd --cmd ",
	[OPTS_WGET] = " --execute --use-askpass ",
	[OPTS_ZIP] = " -TT --unzip-command ",
};

/* No pointers in it: a table of this size would otherwise cost memory in every process that never looks at it. */
struct program {
	char name[20];
	char letters[6];                 /* short options whose argument is code */
	uint8_t bits, opts;
};

static const struct program programs[] = {
	{ "R", "e", P_STDIN, 0 }, { "Rscript", "e", P_STDIN, 0 }, { "ansible", "a", 0, 0 },
	{ "ant", "", P_ALWAYS, 0 }, { "apt", "o", 0, 0 }, { "apt-get", "o", 0, 0 },
	{ "ash", "c", P_SHELL | P_STDIN, 0 }, { "at", "", P_ALWAYS, 0 }, { "awk", "", P_ALWAYS, 0 },
	{ "bash", "c", P_SHELL | P_STDIN, 0 }, { "batch", "", P_ALWAYS, 0 },
	{ "bsdtar", "I", 0, OPTS_BSDTAR }, { "bun", "ep", P_STDIN, OPTS_BUN },
	{ "bundle", "", 0, 0 }, { "busybox", "", P_ALWAYS, 0 }, { "bwrap", "", P_ALWAYS, 0 },
	{ "cargo", "", 0, 0 }, { "cc", "", 0, 0 }, { "chronic", "", P_ALWAYS, 0 },
	{ "chroot", "", P_ALWAYS | P_ROOT, 0 }, { "clang", "", 0, 0 }, { "cmake", "", P_ALWAYS, 0 },
	{ "command", "", P_ALWAYS, 0 }, { "cpio", "", P_ONLY_WITH, OPTS_CPIO },
	{ "crontab", "", P_ALWAYS, 0 }, { "csh", "c", P_SHELL | P_STDIN, 0 },
	{ "dash", "c", P_SHELL | P_STDIN, 0 }, { "dbus-run-session", "", P_ALWAYS, 0 },
	{ "dc", "e", P_STDIN, OPTS_DC }, { "deno", "ep", P_STDIN, OPTS_DENO }, { "docker", "", P_ALWAYS, 0 },
	{ "dotnet", "", 0, 0 }, { "dpkg", "", 0, 0 }, { "ed", "", P_STDIN, 0 },
	{ "elixir", "e", P_STDIN, OPTS_ELIXIR }, { "elvish", "c", P_SHELL | P_STDIN, 0 },
	{ "emacs", "", 0, OPTS_EMACS }, { "emacsclient", "e", 0, OPTS_ELIXIR },
	{ "erl", "", P_STDIN, OPTS_ERL }, { "ex", "c", P_STDIN, 0 }, { "expect", "c", P_STDIN, 0 },
	{ "fakeroot", "", P_ALWAYS, 0 }, { "fd", "xX", P_ONLY_WITH, OPTS_FD },
	{ "fdfind", "xX", P_ONLY_WITH, OPTS_FD }, { "find", "", P_ONLY_WITH, OPTS_FIND },
	{ "firejail", "", P_ALWAYS, 0 }, { "fish", "c", P_SHELL | P_STDIN, 0 }, { "flatpak", "", 0, 0 },
	{ "ftp", "", P_STDIN, 0 }, { "g++", "", 0, 0 }, { "gawk", "", P_ALWAYS, 0 }, { "gcc", "", 0, 0 },
	{ "gdb", "", P_STDIN, OPTS_GDB }, { "gem", "", 0, 0 }, { "ghc", "e", 0, 0 },
	{ "git", "", 0, OPTS_GIT }, { "gmake", "", P_ALWAYS, 0 }, { "gnuplot", "e", P_STDIN, 0 },
	{ "go", "", 0, 0 }, { "gosu", "", P_ALWAYS | P_ROOT, 0 }, { "gradle", "", P_ALWAYS, 0 },
	{ "groovy", "e", P_STDIN, 0 }, { "gsed", "", P_ALWAYS, 0 }, { "gtar", "IF", 0, OPTS_GTAR },
	{ "guile", "c", P_STDIN, 0 }, { "gvim", "c", 0, OPTS_NVIM }, { "ip", "b", P_ONLY_WITH, OPTS_IP },
	{ "irb", "", P_STDIN, 0 }, { "java", "", 0, 0 }, { "jq", "", 0, 0 }, { "jshell", "", P_STDIN, 0 },
	{ "julia", "eE", P_STDIN, OPTS_BUN }, { "jython", "c", P_STDIN, 0 },
	{ "ksh", "c", P_SHELL | P_STDIN, 0 }, { "kubectl", "", 0, 0 }, { "ld", "", 0, 0 },
	{ "ld-linux-aarch64.so", "", P_ALWAYS, 0 }, { "ld-linux-x86-64.so", "", P_ALWAYS, 0 },
	{ "ld-musl-aarch64.so", "", P_ALWAYS, 0 }, { "ld-musl-x86_64.so", "", P_ALWAYS, 0 },
	{ "ld.so", "", P_ALWAYS, 0 }, { "ldd", "", P_ALWAYS, 0 }, { "less", "", 0, 0 },
	{ "logrotate", "", P_ALWAYS, 0 }, { "lua", "e", P_STDIN, 0 }, { "luajit", "e", P_STDIN, 0 },
	{ "lxc", "", P_ALWAYS, 0 }, { "m4", "", P_STDIN, 0 }, { "machinectl", "", P_ALWAYS, 0 },
	{ "mail", "", P_STDIN, 0 }, { "mailx", "", P_STDIN, 0 }, { "make", "", P_ALWAYS, 0 },
	{ "man", "PH", P_ONLY_WITH, OPTS_MAN }, { "mawk", "", P_ALWAYS, 0 },
	{ "mksh", "c", P_SHELL | P_STDIN, 0 }, { "more", "", 0, 0 }, { "mvn", "", P_ALWAYS, 0 },
	{ "mysql", "e", P_STDIN, OPTS_MYSQL }, { "nano", "", 0, 0 }, { "nawk", "", P_ALWAYS, 0 },
	{ "nc", "ec", 0, 0 }, { "ncat", "ec", 0, OPTS_NCAT }, { "ninja", "", P_ALWAYS, 0 },
	{ "nmap", "", P_ONLY_WITH, OPTS_NMAP }, { "node", "ep", P_STDIN, OPTS_NODE },
	{ "nodejs", "ep", P_STDIN, OPTS_NODE }, { "npm", "", 0, 0 }, { "npx", "c", 0, OPTS_NPX },
	{ "nsenter", "", P_ALWAYS | P_ROOT, 0 }, { "nu", "c", P_SHELL | P_STDIN, 0 },
	{ "nvim", "c", 0, OPTS_NVIM }, { "octave", "", P_STDIN, OPTS_BUN },
	{ "openssl", "", P_ONLY_WITH, OPTS_OPENSSL }, { "osascript", "e", P_STDIN, 0 },
	{ "parallel", "", P_ALWAYS, 0 }, { "perl", "eE", P_STDIN, 0 }, { "php", "rBRE", P_STDIN, OPTS_PHP },
	{ "pip", "", 0, 0 }, { "pipx", "", 0, 0 }, { "pkexec", "", P_ALWAYS | P_ROOT, 0 },
	{ "pnpm", "c", 0, 0 }, { "podman", "", P_ALWAYS, 0 },
	{ "powershell", "c", P_SHELL | P_STDIN, OPTS_POWERSHELL }, { "proot", "", P_ALWAYS, 0 },
	{ "psql", "c", P_STDIN, OPTS_PSQL }, { "pwsh", "c", P_SHELL | P_STDIN, OPTS_POWERSHELL },
	{ "pypy", "c", P_STDIN, 0 }, { "python", "c", P_STDIN, 0 }, { "racket", "e", P_STDIN, OPTS_ELIXIR },
	{ "rake", "", P_ALWAYS, 0 }, { "rbash", "c", P_SHELL | P_STDIN, 0 },
	{ "redis-cli", "", P_ONLY_WITH, OPTS_REDIS_CLI }, { "rg", "", P_ONLY_WITH, OPTS_RG },
	{ "rlwrap", "", P_ALWAYS, 0 }, { "rpm", "E", 0, OPTS_ELIXIR }, { "rsync", "e", 0, OPTS_RSYNC },
	{ "ruby", "e", P_STDIN, 0 }, { "run-parts", "", P_ALWAYS, 0 }, { "run0", "", P_ALWAYS | P_ROOT, 0 },
	{ "runuser", "c", P_ALWAYS | P_ROOT, 0 }, { "rvim", "c", 0, OPTS_NVIM }, { "scala", "e", P_STDIN, 0 },
	{ "scp", "oS", 0, 0 }, { "screen", "", P_ALWAYS, 0 }, { "script", "c", P_ALWAYS, OPTS_PSQL },
	{ "sed", "", P_ALWAYS, 0 }, { "service", "", P_ALWAYS, 0 }, { "setpriv", "", P_ALWAYS, 0 },
	{ "sftp", "oSb", P_STDIN, 0 }, { "sh", "c", P_SHELL | P_STDIN, 0 }, { "snap", "", 0, 0 },
	{ "socat", "", P_ALWAYS, 0 }, { "sort", "", P_ONLY_WITH, OPTS_SORT },
	{ "split", "", P_ONLY_WITH, OPTS_SPLIT }, { "sqlite", "", P_STDIN, OPTS_SQLITE },
	{ "ssh", "oF", P_ALWAYS, 0 }, { "start-stop-daemon", "", P_ALWAYS, 0 }, { "strace", "", P_ALWAYS, 0 },
	{ "su", "c", P_ALWAYS | P_ROOT, OPTS_PSQL }, { "su-exec", "", P_ALWAYS | P_ROOT, 0 },
	{ "swift", "e", P_STDIN, 0 }, { "systemctl", "", 0, 0 }, { "systemd-run", "", P_ALWAYS, 0 },
	{ "tar", "IF", 0, OPTS_GTAR }, { "tcc", "", P_ALWAYS, 0 }, { "tclsh", "", P_STDIN, 0 },
	{ "tcpdump", "z", P_ONLY_WITH, 0 }, { "tcsh", "c", P_SHELL | P_STDIN, 0 },
	{ "telnet", "", P_STDIN, 0 }, { "tmux", "", P_ALWAYS, 0 }, { "toybox", "", P_ALWAYS, 0 },
	{ "unbuffer", "", P_ALWAYS, 0 }, { "unshare", "", P_ALWAYS, 0 }, { "uv", "", 0, 0 },
	{ "uvx", "", 0, 0 }, { "valgrind", "", P_ALWAYS, 0 }, { "vi", "c", 0, OPTS_NVIM },
	{ "view", "c", 0, OPTS_NVIM }, { "vim", "c", 0, OPTS_NVIM }, { "vimdiff", "c", 0, OPTS_NVIM },
	{ "watch", "", P_ALWAYS, 0 }, { "wget", "e", P_ONLY_WITH, OPTS_WGET }, { "wish", "", P_STDIN, 0 },
	{ "xvfb-run", "", P_ALWAYS, 0 }, { "yarn", "", 0, 0 }, { "yash", "c", P_SHELL | P_STDIN, 0 },
	{ "yq", "", 0, 0 }, { "zip", "", 0, OPTS_ZIP }, { "zsh", "c", P_SHELL | P_STDIN, 0 },
};

/* A compiler for another machine: x86_64-linux-gnu-gcc is gcc. */
static const char *name_without_machine(const char *name)
{
	const char *at = strstr(name, "-linux-gnu-");

	return at ? at + strlen("-linux-gnu-") : name;
}

/* What follows the name, as far as it is no letter, tells versions and builds apart: python3.11, perl5.36-x86_64-linux-gnu. */
static bool is_named(const char *name, const char *known)
{
	size_t n = strlen(known);
	char next = strncmp(name, known, n) == 0 ? name[n] : 'x';

	return !((next >= 'a' && next <= 'z') || (next >= 'A' && next <= 'Z') || next == '_' || next == '+');
}

static const struct program *program_find(const char *name)
{
	const char *plain = name_without_machine(name);
	const struct program *found = NULL;

	for (size_t i = 0; i < CH_ARRAY_LEN(programs); i++) {
		if (str_eq(programs[i].name, name) || str_eq(programs[i].name, plain))
			return &programs[i];
		/* Several may fit (ld, ld-linux-x86-64.so): the longest knows best. */
		if (is_named(plain, programs[i].name) && (!found || strlen(programs[i].name) > strlen(found->name)))
			found = &programs[i];
	}
	return found;
}

bool cmd_is_interpreter(const char *name)
{
	const struct program *p = program_find(base_name(name));

	return p && !(p->bits & P_ONLY_WITH);
}

/* Long options may be cut short: --comp is --compress-program. Words of one dash are given whole. */
static bool names_long(const char *list, const char *word)
{
	size_t n = strcspn(word, "=");
	const char *p = list;

	if (n < 2 || str_eq(word, "--"))
		return false;
	while ((p = strchr(p, ' ')) && *++p) {
		size_t len = strcspn(p, " ");

		if (n <= len && strncmp(p, word, n) == 0 && (n == len || (word[0] == '-' && word[1] == '-')))
			return true;
	}
	return false;
}

/* A letter anywhere in a cluster counts: which letters before it take arguments is not known here. */
static bool names_short(const char *letters, const char *word)
{
	return word[0] == '-' && word[1] && word[1] != '-' && *letters && strpbrk(word + 1, letters);
}

static bool is_code_option(const struct program *p, const char *word)
{
	return names_short(p->letters, word) || names_long(program_opts[p->opts], word);
}

static unsigned program_traits(const char *const *argv, size_t argc)
{
	const struct program *p = program_find(base_name(argv[0]));
	unsigned traits = CMD_T_INTERPRETER;
	bool has_operand = false, has_code = false;

	if (!p)
		return 0;
	for (size_t i = 1; i < argc; i++) {
		has_code |= is_code_option(p, argv[i]);
		has_operand |= argv[i][0] != '-' && argv[i][0];
	}
	if (p->bits & P_ONLY_WITH)
		return has_code ? CMD_T_INTERPRETER | CMD_T_INLINE_CODE : 0;
	if (p->bits & P_ROOT)
		traits |= CMD_T_PRIVILEGE;
	if (has_code || p->bits & P_ALWAYS || (p->bits & P_STDIN && !has_operand))
		traits |= CMD_T_INLINE_CODE;
	return traits;
}

/* ---- a shell's own text ---- */

/* The argument of -c, in a cluster too ("-ec"). */
static const char *shell_text(const char *const *argv, size_t argc)
{
	const struct program *p = program_find(base_name(argv[0]));

	if (!p || !(p->bits & P_SHELL))
		return NULL;
	for (size_t i = 1; i + 1 < argc && argv[i][0] == '-'; i++)
		if (names_short("c", argv[i]))
			return argv[i + 1];
	return NULL;
}

/* A shell that may be left out: the system's, by its name or in the system's folders. */
static bool is_system_shell(const char *path)
{
	static const char *const plain[] = { "sh", "bash", "dash", "/bin/sh", "/bin/bash", "/bin/dash", "/usr/bin/sh",
					     "/usr/bin/bash", "/usr/bin/dash" };

	return str_in(path, plain, CH_ARRAY_LEN(plain));
}

static unsigned traits_of_shell_text(struct arena *a, const char *text, int depth)
{
	struct cmd_plan inner;

	if (depth + 1 >= CMD_NESTING_MAX || cmd_parse_inside(text, strlen(text), a, depth + 1, &inner, NULL))
		return CMD_T_WRAPPER_UNREADABLE;
	/* The text is an argument: what is in it does not make the outer command any less literal. */
	return inner.traits & CMD_T_LITERAL;
}

void cmd_look(struct arena *a, const char *const *argv, size_t argc, int depth, struct cmd_look *ret)
{
	struct cmd_exec *chain = arena_alloc(a, CMD_NESTING_MAX * sizeof(*chain));
	struct cmd_look look = { .chain = chain };

	for (;;) {
		const struct wrapper *w = wrapper_find(argv[0]);
		size_t inner = argc;

		chain[look.chain_len++] = (struct cmd_exec){ .argv = argv, .argc = argc };
		look.traits |= w ? w->traits : program_traits(argv, argc);
		if (!w)
			break;
		if (!inner_command(w, argv, argc, &inner, &look.traits)) {
			look.traits |= CMD_T_WRAPPER_UNREADABLE;
			break;
		}
		if (inner >= argc)
			break;
		if (look.chain_len == CMD_NESTING_MAX) {
			look.traits |= CMD_T_WRAPPER_UNREADABLE;
			break;
		}
		argv += inner;
		argc -= inner;
	}
	if (shell_text(argv, argc))
		look.traits |= traits_of_shell_text(a, shell_text(argv, argc), depth);
	if (look.chain_len == 1 && argc == 3 && str_eq(argv[1], "-c") && is_system_shell(argv[0]))
		look.shell_text = argv[2];
	*ret = look;
}
