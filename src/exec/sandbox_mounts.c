/*
 * exec/sandbox_mounts.c - what stands where inside: one table, turned into bubblewrap's arguments.
 *
 * Order matters: the empty root, the system, the sandbox's own places, what the configuration adds, the workspace,
 * and last the root becomes read-only. The kernel's switches in /proc are covered: bubblewrap leaves /proc/sys open to a
 * process whose owner is the host's root even in a user namespace, and that is what it is when the gateway runs as root.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/json.h"
#include "core/str.h"
#include "exec/sandbox_priv.h"

#define UID "1000"
#define GID "1000"

/* Of the root: a link is made again as a link, a directory shown read-only. */
static const char *const roots[] = { "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32" };

/* Of /etc, where they exist. Certificates, never keys; no passwords, no resolver, no names of the host. */
static const char *const etc[] = {
	"/etc/alternatives", "/etc/ca-certificates", "/etc/debian_version", "/etc/fonts", "/etc/ld.so.cache", "/etc/ld.so.conf",
	"/etc/ld.so.conf.d", "/etc/localtime", "/etc/magic", "/etc/mime.types", "/etc/os-release", "/etc/perl",
	"/etc/pki/ca-trust/extracted", "/etc/pki/tls/certs", "/etc/protocols", "/etc/services", "/etc/shells", "/etc/ssl/certs",
	"/etc/ssl/openssl.cnf", "/etc/terminfo", "/etc/timezone",
};

static const struct sandbox_etc made[] = {
	{ "/etc/passwd", "root:x:0:0:root:/root:/usr/sbin/nologin\nuser:x:" UID ":" GID ":user:" SANDBOX_HOME ":/bin/sh\n"
			 "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n" },
	{ "/etc/group", "root:x:0:\nuser:x:" GID ":\nnogroup:x:65534:\n" },
	{ "/etc/hosts", "127.0.0.1 localhost sandbox\n::1 localhost\n" },
	{ "/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\nservices: files\nprotocols: files\n" },
};

/* The kernel's switches, to be read only. */
static const char *const proc_read_only[] = { "/proc/acpi", "/proc/asound", "/proc/bus", "/proc/driver", "/proc/fs", "/proc/irq",
					      "/proc/scsi", "/proc/sys", "/proc/tty" };
/* Of no use to a command, and open to the host's root: shown as a device that cannot be opened. */
static const char *const proc_hidden[] = {
	"/proc/kallsyms", "/proc/kcore", "/proc/key-users", "/proc/keys", "/proc/kmsg", "/proc/kpagecgroup", "/proc/kpagecount",
	"/proc/kpageflags", "/proc/latency_stats", "/proc/mtrr", "/proc/pagetypeinfo", "/proc/sched_debug", "/proc/slabinfo",
	"/proc/sysrq-trigger", "/proc/timer_list", "/proc/timer_stats", "/proc/vmallocinfo",
};

const struct sandbox_etc *sandbox_etc_files(void)
{
	return made;
}

/* -- arguments -- */

static void arg(struct buf *out, const char *s)
{
	buf_append(out, s, strlen(s) + 1);
}

static void args2(struct buf *out, const char *a, const char *b)
{
	arg(out, a);
	arg(out, b);
}

static void args3(struct buf *out, const char *a, const char *b, const char *c)
{
	arg(out, a);
	args2(out, b, c);
}

static void arg_number(struct buf *out, const char *a, long long n)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", n);
	args2(out, a, text);
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

static void add_namespaces(const struct sandbox_plan *p, struct buf *out)
{
	arg(out, "--unshare-all");
	arg(out, "--die-with-parent");
	if (!p->cmd->wants_tty)
		arg(out, "--new-session");
	args2(out, "--uid", UID);
	args2(out, "--gid", GID);
	args2(out, "--hostname", "sandbox");
	args2(out, "--cap-drop", "ALL");
	arg_number(out, "--seccomp", p->seccomp_fd);
}

/* A directory of the root, or the link that stands for it. */
static void add_root(const char *path, struct buf *out)
{
	char target[256];
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	if (n > 0) {
		target[n] = '\0';
		args3(out, "--symlink", target, path);
	} else if (exists(path)) {
		args3(out, "--ro-bind", path, path);
	}
}

static void add_system(const struct sandbox_plan *p, struct buf *out)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(roots); i++)
		add_root(roots[i], out);
	for (size_t i = 0; i < CH_ARRAY_LEN(etc); i++)
		if (exists(etc[i]))
			args3(out, "--ro-bind", etc[i], etc[i]);
	for (size_t i = 0; i < CH_ARRAY_LEN(made); i++) {
		char fd[16];

		snprintf(fd, sizeof(fd), "%d", p->etc_fds[i]);
		args2(out, "--perms", "0444");
		args3(out, "--file", fd, made[i].path);
	}
}

static void add_tmpfs(struct buf *out, const char *path, long long bytes)
{
	args2(out, "--perms", "0700");
	arg_number(out, "--size", bytes);
	args2(out, "--tmpfs", path);
}

static void add_own(struct buf *out)
{
	args2(out, "--proc", "/proc");
	for (size_t i = 0; i < CH_ARRAY_LEN(proc_read_only); i++)
		if (exists(proc_read_only[i]))
			args3(out, "--ro-bind", proc_read_only[i], proc_read_only[i]);
	for (size_t i = 0; i < CH_ARRAY_LEN(proc_hidden); i++)
		if (exists(proc_hidden[i]))
			args3(out, "--ro-bind", "/dev/null", proc_hidden[i]);
	args2(out, "--dev", "/dev");
	add_tmpfs(out, "/dev/shm", SANDBOX_TMP_BYTES / 8);
	args2(out, "--remount-ro", "/dev");
	add_tmpfs(out, "/tmp", SANDBOX_TMP_BYTES);
	args2(out, "--dir", SANDBOX_HOME);
	args2(out, "--dir", "/home");
	args2(out, "--dir", "/run");
	args2(out, "--dir", "/var");
	args3(out, "--symlink", "/tmp", "/var/tmp");
	args3(out, "--symlink", "/run", "/var/run");
}

static void add_binds(const struct sandbox_plan *p, struct buf *out)
{
	for (const char *const *it = p->read_only; it && *it; it++)
		args3(out, "--ro-bind", *it, *it);
	for (size_t i = 0; i < p->settings->bind_count; i++) {
		const struct sandbox_bind *b = &p->settings->binds[i];

		args3(out, b->is_writable ? "--bind" : "--ro-bind", b->source, b->target);
	}
	if (p->shown)
		args3(out, p->is_shown_writable ? "--bind" : "--ro-bind", p->shown, p->workspace);
	else
		add_tmpfs(out, p->workspace, SANDBOX_TMP_BYTES);
	if (p->own_dir)
		args3(out, "--ro-bind", p->own_dir, p->own_dir);
	/* Last, so that nothing that was added can stand in its place. */
	args3(out, "--ro-bind", p->program, SANDBOX_HELPER);
	args2(out, "--remount-ro", "/");
}

/* -- the environment -- */

static void add_env(const struct sandbox_plan *p, struct buf *out)
{
	static const struct { const char *name, *value; } fixed[] = {
		{ "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" }, { "HOME", SANDBOX_HOME },
		{ "USER", "user" }, { "LOGNAME", "user" }, { "SHELL", "/bin/sh" }, { "LANG", "C.UTF-8" }, { "TMPDIR", "/tmp" },
	};
	static const char *const proxies[] = { "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy" };
	static const char *const direct[] = { "NO_PROXY", "no_proxy" };
	char url[64];

	snprintf(url, sizeof(url), "http://127.0.0.1:%d", SANDBOX_PROXY_PORT);
	for (size_t i = 0; i < CH_ARRAY_LEN(fixed); i++)
		args3(out, "--setenv", fixed[i].name, fixed[i].value);
	args3(out, "--setenv", "TERM", p->cmd->wants_tty ? "xterm-256color" : "dumb");
	for (const char *const *it = p->cmd->env; it && *it; it++) {
		const char *eq = strchr(*it, '=');

		arg(out, "--setenv");
		buf_append(out, *it, (size_t)(eq - *it));
		buf_append(out, "", 1);
		arg(out, eq + 1);
	}
	/* After the call's own: what it names cannot lead around the proxy, but would only confuse. */
	for (size_t i = 0; p->has_network && i < CH_ARRAY_LEN(proxies); i++)
		args3(out, "--setenv", proxies[i], url);
	/* A server of the command's own is on its loopback, where no proxy is needed. */
	for (size_t i = 0; p->has_network && i < CH_ARRAY_LEN(direct); i++)
		args3(out, "--setenv", direct[i], "localhost,127.0.0.1,::1");
}

void sandbox_mounts_args(const struct sandbox_plan *p, struct buf *out)
{
	add_namespaces(p, out);
	add_system(p, out);
	add_own(out);
	add_binds(p, out);
	add_env(p, out);
}

/* -- for people -- */

static void row(struct arena *a, struct json *list, const char *path, const char *source, const char *access)
{
	struct json *o = json_new_obj(a);

	json_set(a, o, "path", json_new_str(a, path));
	if (source)
		json_set(a, o, "source", json_new_str(a, source));
	json_set(a, o, "access", json_new_str(a, access));
	json_push(list, o);
}

struct json *sandbox_mounts_json(const struct sandbox_settings *s, const char *workspace, struct arena *a)
{
	static const char *const access[] = { "scratch", "read-only", "read-write" };
	struct json *list = json_new_arr(a);

	row(a, list, workspace, s->access == SANDBOX_NONE ? NULL : workspace, access[s->access]);
	for (size_t i = 0; i < s->bind_count; i++)
		row(a, list, s->binds[i].target, s->binds[i].source, s->binds[i].is_writable ? "read-write" : "read-only");
	for (size_t i = 0; i < CH_ARRAY_LEN(roots); i++)
		if (exists(roots[i]))
			row(a, list, roots[i], roots[i], "read-only");
	for (size_t i = 0; i < CH_ARRAY_LEN(etc); i++)
		if (exists(etc[i]))
			row(a, list, etc[i], etc[i], "read-only");
	row(a, list, "/tmp", NULL, "private");
	row(a, list, "/proc", NULL, "private");
	row(a, list, "/dev", NULL, "private");
	return list;
}
