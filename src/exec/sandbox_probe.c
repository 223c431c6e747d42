/*
 * exec/sandbox_probe.c - can commands be sandboxed on this machine? Asked of bubblewrap itself, once.
 *
 * A failure is explained by what the system says of itself: the switches that turn user namespaces off, and
 * containers, which forbid them. Nothing is inferred from a switch alone.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/fiber.h"
#include "core/file.h"
#include "core/proc.h"
#include "core/str.h"
#include "exec/sandbox_priv.h"

#define PROBE_MS 10000
#define WHY_MAX 512

/* The answer, for the whole process: it depends on the machine only. */
static struct {
	bool is_known, is_able;
	char why[WHY_MAX];
} answer; /* the one mutable state here: a cache of a fact that does not change while we run */

static bool has_number(const char *path, long long want)
{
	CH_AUTO_BUF struct buf text = { 0 };
	int64_t v;

	if (file_read(path, 64, &text, NULL))
		return false;
	while (text.len && isspace((unsigned char)text.data[text.len - 1]))
		buf_truncate(&text, text.len - 1);
	return str_to_i64(buf_str(&text), &v) && v == want;
}

/* What to do about it; the sentence for a cause that is not known names none. */
static const char *way_out(void)
{
	if (has_number("/proc/sys/kernel/unprivileged_userns_clone", 0))
		return "user namespaces are off for users: sysctl -w kernel.unprivileged_userns_clone=1";
	if (has_number("/proc/sys/user/max_user_namespaces", 0))
		return "user namespaces are off: sysctl -w user.max_user_namespaces=15000";
	if (has_number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", 1))
		return "AppArmor lets only named programs make user namespaces: give /usr/bin/bwrap a profile with 'userns,' "
		       "(package apparmor-profiles, profile bwrap-userns-restrict), or sysctl -w kernel.apparmor_restrict_unprivileged_userns=0";
	if (file_exists("/.dockerenv") || file_exists("/run/.containerenv"))
		return "this is a container that forbids user namespaces or mounts: allow them there (docker run --security-opt "
		       "seccomp=unconfined --security-opt systempaths=unconfined), or run the gateway outside of one";
	return "see docs/sandbox.md";
}

static void set_why(const char *said)
{
	size_t n = strcspn(said, "\n");

	snprintf(answer.why, sizeof(answer.why), "bubblewrap cannot make a sandbox here (%.*s): %s", (int)CH_MIN(n, 160), said, way_out());
}

static CH_FIBER void ask(struct loop *l)
{
	static const char *const argv[] = { "/bin/true", NULL };
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO_DONE(sandbox_wrapped_done) struct sandbox_wrapped w = { .fds = { -1, -1, -1, -1, -1, -1, -1, -1 } };
	CH_AUTO_DONE(proc_result_done) struct proc_result result = { .exit_code = -1 };
	char place[] = "/tmp/chela-probe-XXXXXX";
	struct sandbox_settings settings = { .access = SANDBOX_RW };
	struct sandbox_cmd cmd = { .argv = argv, .workspace = place };
	struct sandbox_run_spec run = { .out_max_bytes = 4096, .deadline_ms = fiber_deadline(PROBE_MS) };
	struct ch_err err = { 0 };
	ch_status st;

	/* Of ours alone, and gone again afterwards. */
	if (!mkdtemp(place)) {
		set_why("no directory can be made in /tmp");
		return;
	}
	st = sandbox_wrap_unprobed(l, &settings, &cmd, a, &w, &err);
	if (!st)
		st = sandbox_run_wrapped(l, &w, &run, &result, &err);
	rmdir(place);
	answer.is_able = !st && result.exit_code == 0;
	if (!answer.is_able)
		set_why(st ? err.text : buf_str(&result.errout));
	/* A probe that was cancelled has learned nothing. */
	answer.is_known = st != CH_E_CANCELED && st != CH_E_TIMEOUT;
}

bool sandbox_seems_possible(const char **ret_why)
{
	if (!sandbox_bwrap()) {
		*ret_why = "bubblewrap is not installed, so commands cannot be sandboxed: apt-get install bubblewrap "
			   "(or the package of that name of your system)";
		return false;
	}
	*ret_why = answer.is_known && !answer.is_able ? answer.why : NULL;
	return !*ret_why;
}

CH_FIBER bool sandbox_probe(struct loop *l, const char **ret_why)
{
	if (!sandbox_bwrap())
		return sandbox_seems_possible(ret_why);
	if (!answer.is_known)
		ask(l);
	*ret_why = answer.is_able ? NULL : answer.why;
	return answer.is_able;
}

void sandbox_probe_forget(void)
{
	answer.is_known = answer.is_able = false;
}
