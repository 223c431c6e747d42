/*
 * exec/sandbox_inside.c - the first program inside: checks, limits, hands the proxy its listener, becomes the command.
 *
 *	chela __sandbox-run <processes,memory,file,cpu> <fd or -> <cwd> <device:inode:path>… -- <argv>…
 *
 * bubblewrap starts it, so namespaces, mounts and the system call filter stand already, and there are no capabilities. It
 * speaks to nobody but its stderr; its exit codes are a shell's (126: cannot be run, 127: not found).
 *
 * Where the gateway runs as root it stays, to count processes (sandbox_count.c).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/str.h"
#include "exec/proxy.h"
#include "exec/sandbox_priv.h"

#define EXIT_CANNOT 126
#define EXIT_NOT_FOUND 127

struct inside {
	int64_t limits[4];               /* processes, memory, file, cpu */
	int listen_fd;                   /* -1: no network */
	const char *cwd;
	char **mounts;                   /* up to "--" */
	char **argv;
};

static int refuse(const char *what, const char *why)
{
	fprintf(stderr, "chela: sandbox: %s: %s\n", what, why);
	return EXIT_CANNOT;
}

/* -- arguments; they come from sandbox_wrap(), but whoever starts this by hand learns what is wrong -- */

static bool parse_limits(char *text, int64_t ret[4])
{
	char *at = text;

	for (int i = 0; i < 4; i++) {
		char *part = strsep(&at, ",");

		if (!part || !str_to_i64(part, &ret[i]) || ret[i] <= 0)
			return false;
	}
	return at == NULL;
}

static bool parse_args(int argc, char **argv, struct inside *ret)
{
	int64_t fd = -1;
	int at = 5;

	if (argc < 7 || !parse_limits(argv[2], ret->limits))
		return false;
	if (!str_eq(argv[3], "-") && (!str_to_i64(argv[3], &fd) || fd <= STDERR_FILENO || fd > 1 << 20))
		return false;
	ret->listen_fd = (int)fd;
	ret->cwd = argv[4];
	ret->mounts = &argv[at];
	while (at < argc && !str_eq(argv[at], "--"))
		at++;
	ret->argv = &argv[at + 1];
	return at + 1 < argc;
}

/* -- checks -- */

/* Is what stands there the file that the gateway checked? */
static bool is_same(char *mount)
{
	char *device = strsep(&mount, ":"), *inode = strsep(&mount, ":");
	int64_t want_device, want_inode;
	struct stat st;

	if (!mount || !str_to_i64(device, &want_device) || !str_to_i64(inode, &want_inode))
		return false;
	return stat(mount, &st) == 0 && st.st_dev == (dev_t)want_device && st.st_ino == (ino_t)want_inode;
}

/* -- limits -- */

static int limit(int resource, const char *name, int64_t value)
{
	struct rlimit r = { (rlim_t)value, (rlim_t)value }, now;

	/* Raising a hard limit that the host has set lower is not ours to do. */
	if (getrlimit(resource, &now) == 0 && now.rlim_max < r.rlim_max)
		r.rlim_cur = r.rlim_max = now.rlim_max;
	return setrlimit(resource, &r) ? refuse(name, strerror(errno)) : 0;
}

static int set_limits(const struct inside *in)
{
	const struct { int resource; const char *name; int64_t value; } all[] = {
		{ RLIMIT_CORE, "core", 0 },
		{ RLIMIT_NOFILE, "open files", SANDBOX_FILES },
		{ RLIMIT_NPROC, "processes", in->limits[0] },
		{ RLIMIT_DATA, "memory", in->limits[1] },
		{ RLIMIT_FSIZE, "file size", in->limits[2] },
		{ RLIMIT_CPU, "processor time", in->limits[3] },
		{ RLIMIT_MSGQUEUE, "message queues", 0 },
	};
	int rc = 0;

	for (size_t i = 0; !rc && i < CH_ARRAY_LEN(all); i++)
		rc = limit(all[i].resource, all[i].name, all[i].value);
	return rc;
}

/* -- the command -- */

/* The limits last: they are the command's, not those of what counts its processes. */
static int become(void *arg)
{
	const struct inside *in = arg;
	int rc = set_limits(in), saved;

	if (rc)
		return rc;
	execv(in->argv[0], in->argv);
	saved = errno;
	fprintf(stderr, "chela: sandbox: %s: %s\n", in->argv[0], strerror(saved));
	return saved == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT;
}

/* -- where the kernel does not count -- */

/* Is our owner the host's root, seen from the namespace above? */
static bool is_owned_by_root(void)
{
	FILE *f = fopen("/proc/self/uid_map", "re");
	unsigned inside, outside = 1;
	bool is_root = f && fscanf(f, "%u %u", &inside, &outside) == 2 && outside == 0;

	if (f)
		fclose(f);
	return is_root;
}

int sandbox_inside_main(int argc, char **argv)
{
	struct inside in = { .listen_fd = -1 };

	if (!parse_args(argc, argv, &in))
		return refuse(SANDBOX_INSIDE, "the gateway starts this inside a sandbox; it is not for people");
	for (char **it = in.mounts; !str_eq(*it, "--"); it++)
		if (!is_same(*it))
			return refuse("mounts", "something else stands where a directory was checked; nothing was run");
	if (in.listen_fd >= 0 && !proxy_send_listener(in.listen_fd))
		return refuse("network", strerror(errno));
	/* Nothing of bubblewrap's or of ours reaches the command. */
	if (close_range(STDERR_FILENO + 1, ~0u, 0) != 0)
		return refuse("descriptors", strerror(errno));
	if (chdir(in.cwd) != 0)
		return refuse(in.cwd, strerror(errno));
	umask(022);
	return is_owned_by_root() ? sandbox_run_counted(in.limits[0], become, &in) : become(&in);
}
