/*
 * exec/sandbox: what a command inside can see, do and use up, tried as an attacker would. The script that attacks runs in a real
 * sandbox; as root the whole suite is run a second time as nobody, because bubblewrap and the kernel take other ways then.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../core/in_fiber.h"
#include "core/buf.h"
#include "core/child.h"
#include "core/file.h"
#include "core/proc.h"
#include "core/str.h"
#include "exec/sandbox.h"
#include "../temp_dir.h"

#define SOON_MS 30000

/* The host as the attacker would like to find it. */
static struct {
	char base[64], workspace[128], state[128], other[128];
} host;
static struct ch_err err;
static struct proc_result out;

static void put(const char *path, const char *text)
{
	assert_int_equal(file_write_atomic(path, text, strlen(text), 0600, NULL), CH_OK);
}

static char *in_base(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", host.base, name);
	return path;
}

static int make_host(void **state)
{
	temp_dir_make(host.base, "sandbox");
	snprintf(host.workspace, sizeof(host.workspace), "%s/state/workspace", host.base);
	snprintf(host.state, sizeof(host.state), "%s/state", host.base);
	snprintf(host.other, sizeof(host.other), "%s/state/workspace-other", host.base);
	assert_int_equal(file_mkdirs(host.workspace, 0700, NULL), CH_OK);
	assert_int_equal(file_mkdirs(host.other, 0700, NULL), CH_OK);
	put(in_base("state/secret"), "canary-state");
	put(in_base("state/workspace-other/notes"), "canary-other");
	put(in_base("state/workspace/mine"), "mine");
	assert_int_equal(file_mkdirs(in_base("state/.ssh"), 0700, NULL), CH_OK);
	put(in_base("state/.ssh/id_ed25519"), "canary-ssh");
	sandbox_probe_forget();
	return 0;
}

static int remove_host(void **state)
{
	temp_dir_remove(host.base);
	return 0;
}

/* -- running -- */

static const struct sandbox_settings plain = { .is_on = true, .mode = "all", .backend = "bubblewrap", .access = SANDBOX_RW, .scope_key = "agent-main" };

static CH_FIBER ch_status run_with(const struct sandbox_settings *s, struct sandbox_cmd cmd, const char *input)
{
	struct sandbox_run_spec run = {
		.out_max_bytes = 1u << 20,
		.deadline_ms = fiber_deadline(SOON_MS),
		.input = input,
		.input_len = input ? strlen(input) : 0,
	};

	proc_result_done(&out);
	err = (struct ch_err){ 0 };
	if (!cmd.workspace)
		cmd.workspace = host.workspace;
	cmd.state_dir = host.state;
	return sandbox_run(fiber_loop(), s, &cmd, &run, &out, &err);
}

/* A script inside; its output. */
static CH_FIBER const char *sh_with(const struct sandbox_settings *s, const char *script)
{
	const char *const argv[] = { "/bin/bash", "-c", script, NULL };
	ch_status st = run_with(s, (struct sandbox_cmd){ .argv = argv }, NULL);

	if (st)
		fail_msg("sandbox: %s", err.text);
	return buf_str(&out.out);
}

static CH_FIBER const char *sh(const char *script)
{
	return sh_with(&plain, script);
}

/* The script must fail or print nothing of what is outside. */
static CH_FIBER void gives_nothing(const char *script)
{
	const char *text = sh(script);

	if (strstr(text, "canary") || strstr(text, "GOT"))
		fail_msg("%s: gave: %s", script, text);
}

static CH_FIBER void says(const char *script, const char *want)
{
	const char *text = sh(script);

	if (!str_eq(text, want))
		fail_msg("%s: '%s' (stderr '%s') instead of '%s'", script, text, buf_str(&out.errout), want);
}

/* -- what it is for -- */

static void works(void *arg)
{
	char want[256];

	says("echo hello; exit 7", "hello\n");
	assert_int_equal(out.exit_code, 7);
	snprintf(want, sizeof(want), "%s\n", host.workspace);
	says("pwd", want);
	says("cat mine; echo new > file; cat file", "minenew\n");
	assert_true(file_exists(in_base("state/workspace/file")));
	says("id -u; id -g; id -un; hostname; echo $HOME; cd; pwd; touch x && echo ok", "1000\n1000\nuser\nsandbox\n/tmp/home\n/tmp/home\nok\n");
	/* Threads, pipes, a terminal of its own. */
	says("seq 1 1000 | sort -rn | head -1", "1000\n");
	says("kill -9 $$", "");
	assert_int_equal(out.exit_code, 137);
	assert_int_equal(run_with(&plain, (struct sandbox_cmd){ .argv = (const char *const[]){ "/bin/cat", NULL } }, "to stdin"), CH_OK);
	assert_string_equal(buf_str(&out.out), "to stdin");
	assert_int_equal(run_with(&plain, (struct sandbox_cmd){ .argv = (const char *const[]){ "/nothing", NULL } }, NULL), CH_OK);
	assert_int_equal(out.exit_code, 127);
	assert_int_equal(run_with(&plain, (struct sandbox_cmd){ .argv = (const char *const[]){ "cat", NULL } }, NULL), CH_E_INVALID);
}

static void environment(void *arg)
{
	static const char *const bad[] = { "LD_PRELOAD=/x", "BASH_ENV=x", "NODE_OPTIONS=x", "A B=x", "=x", "novalue", "BASH_FUNC_a%%=x",
					   "PYTHONSTARTUP=x", "GIT_CONFIG_COUNT=1", "1A=x", "GIT_SSH_COMMAND=x", "LD_AUDIT=x" };
	const char *const argv[] = { "/usr/bin/env", NULL };
	static char large[SANDBOX_ENV_MAX + 16];
	const char *const too_large[] = { large, NULL };

	setenv("CHELA_CANARY", "canary-env", 1);
	assert_int_equal(run_with(&plain, (struct sandbox_cmd){ .argv = argv, .env = (const char *const[]){ "A=b c", "EMPTY=", NULL } }, NULL), CH_OK);
	assert_non_null(strstr(buf_str(&out.out), "A=b c\n"));
	assert_non_null(strstr(buf_str(&out.out), "EMPTY=\n"));
	assert_null(strstr(buf_str(&out.out), "canary"));
	assert_null(strstr(buf_str(&out.out), "PROXY"));
	for (size_t i = 0; i < CH_ARRAY_LEN(bad); i++)
		assert_int_equal(run_with(&plain, (struct sandbox_cmd){ .argv = argv, .env = (const char *const[]){ bad[i], NULL } }, NULL), CH_E_INVALID);
	memset(large, 'a', sizeof(large) - 1);
	large[1] = '=';
	assert_int_equal(run_with(&plain, (struct sandbox_cmd){ .argv = argv, .env = too_large }, NULL), CH_E_LIMIT);
	/* Nothing of the gateway's environment is to be read from a process that bubblewrap left inside. */
	gives_nothing("cat /proc/1/environ /proc/*/environ | tr '\\0' '\\n'");
}

static void accesses(void *arg)
{
	struct sandbox_settings s = plain;

	s.access = SANDBOX_RO;
	assert_string_equal(sh_with(&s, "cat mine; echo x > new || echo refused"), "minerefused\n");
	s.access = SANDBOX_NONE;
	assert_string_equal(sh_with(&s, "ls -A; echo kept > here"), "");
	assert_string_equal(sh_with(&s, "cat here"), "kept\n");
	s.scope_key = "agent-other";
	assert_string_equal(sh_with(&s, "ls -A"), "");
	assert_false(file_exists(in_base("state/workspace/here")));
}

/* -- threats: reading -- */

static void threat_sandbox_escape_files(void *arg)
{
	char script[1024];

	snprintf(script, sizeof(script), "cat %s/secret %s/.ssh/id_ed25519 %s/notes ../secret ../*; ls -A ..", host.state, host.state, host.other);
	gives_nothing(script);
	gives_nothing("cat /etc/shadow /etc/sudoers /etc/ssl/private/* ~root/.ssh/* /home/[a-z]*/.ssh/* && echo GOT");
	gives_nothing("[ -e /sys/kernel ] && echo GOT; [ -e /var/run/docker.sock ] && echo GOT; [ -e /run/systemd ] && echo GOT");
	gives_nothing("for p in /proc/[0-9]*; do cat ${p}/roo?/tmp/chela-sbx-*/state/secret; ls $p/roo?/boot && echo GOT; done");
	says("ls -A /home ~root /var/lib 2>/dev/null | grep -v :; ls -A /run", "chela\n");
	/* Links out of the workspace lead to what is inside. */
	snprintf(script, sizeof(script), "ln -s %s/secret link; cat link; ln -s / top; cat top/etc/shadow", host.state);
	gives_nothing(script);
	says("ln /etc/passwd hard 2>/dev/null && echo GOT; ln /usr/bin/id hard 2>/dev/null && echo GOT; true", "");
}

static void threat_sandbox_escape_descriptors(void *arg)
{
	/* Not close-on-exec: a careless library's. */
	int fd = open(host.state, O_RDONLY | O_DIRECTORY);

	assert_true(fd >= 0);
	says("for f in /proc/self/fd/*; do n=${f##*/}; [ $n -gt 2 ] && [ $n -lt 200 ] && readlink $f; done; true", "");
	says("for p in /proc/[0-9]*; do for f in $p/fd/*; do readlink $f; done; done 2>/dev/null | grep -E 'chela|memfd|state' ; true", "");
	close(fd);
}

static void threat_sandbox_escape_writing(void *arg)
{
	static const char *const places[] = { "/usr/x", "/etc/x", "/x", "/bin/x", "/run/x", "/dev/x", "/var/x", "/home/x", "/etc/passwd", "/etc/ld.so.cache",
					      "/run/chela", "/usr/bin/id" };
	char script[256];

	for (size_t i = 0; i < CH_ARRAY_LEN(places); i++) {
		snprintf(script, sizeof(script), "(echo x >> %s) 2>/dev/null && echo GOT", places[i]);
		gives_nothing(script);
	}
	/* Opened for writing only, never written: this is the host's kernel if the cover fails. */
	gives_nothing("for f in $(find /proc/sys -type f 2>/dev/null | head -200) /proc/sysrq-trigger /proc/mtrr /proc/irq/default_smp_affinity; do "
		      "[ -e $f ] && (exec 9<>$f) 2>/dev/null && echo GOT $f; done");
	gives_nothing("for f in kernel/core_pattern kernel/modprobe vm/overcommit_memory fs/suid_dumpable kernel/hostname; do "
		      "(exec 9>/proc/sys/$f) 2>/dev/null && echo GOT $f; done");
	gives_nothing("for f in /proc/kcore /proc/kmsg /proc/keys /proc/kallsyms /proc/slabinfo /proc/timer_list /proc/kpageflags; do "
		      "[ -e $f ] && head -c 16 $f 2>/dev/null | grep -q . && echo GOT $f; done");
	gives_nothing("for d in $(find /sys/fs/cgroup -maxdepth 2 2>/dev/null); do echo GOT; done; mkdir /sys 2>/dev/null && echo GOT");
	gives_nothing("touch suid; chmod 4755 suid 2>/dev/null && echo GOT; chmod 2755 suid 2>/dev/null && echo GOT; "
		      "mknod disk b 8 0 2>/dev/null && echo GOT; mknod null c 1 3 2>/dev/null && echo GOT");
	gives_nothing("umask 0; perl -e 'use Fcntl; sysopen(F, \"made\", O_CREAT|O_WRONLY, 04755); print \"GOT\" if (stat(\"made\"))[2] & 04000'");
}

static void threat_sandbox_escape_privileges(void *arg)
{
	says("grep -E 'CapInh|CapPrm|CapEff|CapBnd|CapAmb' /proc/self/status | grep -v 0000000000000000; grep NoNewPrivs /proc/self/status", "NoNewPrivs:\t1\n");
	says("grep '^Seccomp:' /proc/self/status /proc/1/status | cut -f2", "2\n2\n");
	gives_nothing("unshare -U true 2>/dev/null && echo GOT; unshare -Urm true 2>/dev/null && echo GOT; unshare -n true 2>/dev/null && echo GOT");
	gives_nothing("mount -t tmpfs none /tmp 2>/dev/null && echo GOT; mount -o remount,rw / 2>/dev/null && echo GOT; mount --bind /tmp /usr 2>/dev/null && echo GOT; "
		      "umount /proc/sys 2>/dev/null && echo GOT");
	gives_nothing("nsenter -t 1 -m true 2>/dev/null && echo GOT; chroot / true 2>/dev/null && echo GOT; "
		      "su -c true 2>/dev/null </dev/null && echo GOT; sudo -n true 2>/dev/null && echo GOT; hostname evil 2>/dev/null && echo GOT");
	/* By number, as no program does it by itself (x86-64; elsewhere these are other harmless calls). */
#ifdef __x86_64__
	gives_nothing("perl -e '%c = (ptrace=>101, keyctl=>250, add_key=>248, bpf=>321, perf=>298, io_uring=>425, userfaultfd=>323, "
		      "name_to_handle=>303, open_by_handle=>304, setns=>308, kexec=>246, init_module=>175, swapon=>167, reboot=>169, "
		      "process_vm_readv=>310, personality=>135, clone3=>435, mount=>165, pivot_root=>155, unshare=>272, open_tree=>428, "
		      "move_mount=>429, fsopen=>430, mount_setattr=>442, pidfd_getfd=>438, openat2=>437, fchmodat2=>452, statmount=>457, "
		      "iopl=>172, acct=>163, quotactl=>179, lookup_dcookie=>212, clone_newuser=>56); "
		      "while (($n, $nr) = each %c) { $a = $n eq \"clone_newuser\" ? 0x10000000 : $n eq \"personality\" ? 0x40000 : 0; "
		      "$r = syscall($nr, $a, 0, 0, 0, 0); print \"GOT $n \" unless $r == -1 && ($! == 1 || $! == 38); }'");
#endif
}

static void threat_sandbox_escape_terminal(void *arg)
{
	/* TIOCSTI, TIOCLINUX, with bits above the 32 that the kernel looks at too. */
	gives_nothing("perl -e 'for $r (0x5412, 0x541C, 0x100005412) { $b = \"x\"; print \"GOT\" if ioctl(STDIN, $r, $b); print \"GOT $!\" unless $! == 1; }'");
	says("(exec 3</dev/tty) 2>/dev/null && echo GOT; true", "");
}

/* -- with a terminal: the session is shared with what is outside, so nothing may be typed into it -- */

static struct { struct buf text; struct fiber *fiber; bool is_over; } shown;

static void on_shown(void *arg, enum child_stream s, const char *data, size_t len)
{
	buf_append(&shown.text, data, len);
}

static void on_over(void *arg, const struct child_exit *e)
{
	shown.is_over = true;
	fiber_wake(shown.fiber);
}

static void threat_sandbox_escape_own_terminal(void *arg)
{
	static const char script[] = "test -t 0 && test -t 1 && echo terminal; stty size; (exec 3<>/dev/tty) && echo control; "
				     "perl -e '$b = \"x\"; print ioctl(STDIN, 0x5412, $b) ? \"GOT\" : \"refused\"'";
	const char *const argv[] = { "/bin/bash", "-c", script, NULL };
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO_DONE(sandbox_wrapped_done) struct sandbox_wrapped w = { 0 };
	struct sandbox_cmd cmd = { .argv = argv, .workspace = host.workspace, .state_dir = host.state, .wants_tty = true };
	struct child *child = NULL;

	assert_int_equal(sandbox_wrap(fiber_loop(), &plain, &cmd, a, &w, &err), CH_OK);
	struct child_spec spec = { .argv = w.argv, .env = w.env, .fds = w.fds, .fd_count = w.fd_count, .exe_fd = -1, .cwd_fd = -1,
				   .is_contained = true, .has_tty = true, .columns = 90, .rows = 20, .on_output = on_shown, .on_exit = on_over };

	buf_init(&shown.text, 4096);
	shown.fiber = fiber_self();
	shown.is_over = false;
	assert_int_equal(child_start(fiber_loop(), &spec, &child, &err), CH_OK);
	while (!shown.is_over)
		assert_int_equal(fiber_park(fiber_deadline(SOON_MS)), CH_OK);
	child_free(child);
	assert_string_equal(buf_str(&shown.text), "terminal\r\n20 90\r\ncontrol\r\nrefused");
	buf_done(&shown.text);
}

static void threat_sandbox_escape_processes(void *arg)
{
	char script[256];

	snprintf(script, sizeof(script), "kill -9 %d 2>/dev/null && echo GOT; ls -d /proc/%d 2>/dev/null && echo GOT; true", (int)getpid(), (int)getpid());
	if (getpid() > 100)
		gives_nothing(script);
	says("[ $(ls -d /proc/[0-9]* | wc -l) -lt 10 ] && echo few", "few\n");
	/* What is left in the background dies with the command. */
	sh("(sleep 300; touch late) & echo $!");
	gives_nothing("ls late 2>/dev/null && echo GOT");
	/* By exec through a link to something else than the command. */
	gives_nothing("ls -l /proc/1/exe 2>/dev/null | grep -q state && echo GOT");
}

/* -- threats: the network -- */

static int listen_tcp(int *ret_port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	*ret_port = ntohs(addr.sin_port);
	return fd;
}

static void threat_sandbox_escape_network(void *arg)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "\0chela-test-abstract" };
	int port, tcp = listen_tcp(&port), abstract = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char script[512];

	assert_int_equal(bind(abstract, (const struct sockaddr *)&name, sizeof(sa_family_t) + 20), 0);
	assert_int_equal(listen(abstract, 1), 0);
	snprintf(script, sizeof(script), "(exec 3<>/dev/tcp/127.0.0.1/%d) 2>/dev/null && echo GOT", port);
	gives_nothing(script);
	gives_nothing("(exec 3<>/dev/tcp/1.1.1.1/53) 2>/dev/null && echo GOT; (echo x >/dev/udp/1.1.1.1/53) 2>/dev/null && echo GOT");
	gives_nothing("perl -e 'use Socket; socket(S, AF_UNIX, SOCK_STREAM, 0); print \"GOT\" if connect(S, pack(\"Sa20\", AF_UNIX, \"\\0chela-test-abstract\"))'");
	gives_nothing("getent hosts example.org && echo GOT; cat /etc/resolv.conf 2>/dev/null && echo GOT");
	/* netlink, packet, vsock, raw. */
	gives_nothing("perl -e 'for ([16,3],[17,3],[40,1],[2,3],[38,5],[31,1]) { print \"GOT @$_\" if socket(S, $_->[0], $_->[1], 0) }'");
	says("grep -c : /proc/net/dev", "1\n");
	close(tcp);
	close(abstract);
}

/* -- threats: using up the machine -- */

/* The kernel refuses more processes to everybody but root, whose are counted from time to time and then ended. */
static void bounded(const char *text, const char *refused)
{
	if (geteuid() || str_eq(text, refused)) {        /* the limit of memory may come first */
		assert_string_equal(text, refused);
		return;
	}
	assert_int_equal(out.exit_code, 126);
	assert_non_null(strstr(buf_str(&out.errout), "limits.processes"));
}

static void threat_sandbox_escape_resources(void *arg)
{
	struct sandbox_settings s = plain;
	const char *text;

	s.processes_max = 40;
	s.memory_max = 256 << 20;
	s.file_max = 1 << 20;
	s.cpu_seconds_max = 1;
	/* Many processes, but not so many that a limit that fails would take the machine with it. */
	text = sh_with(&s, "perl -e 'while ($n < 400) { $p = fork; last unless defined $p; if (!$p) { sleep 60; exit } $n++ } "
			   "print $n >= 30 && $n <= 80 ? \"bounded\" : \"GOT $n\"; sleep 60 if $n > 80'");
	bounded(text, "bounded");
	/* What counts is what lives: one after the other there may be many more. Threads count too. */
	text = sh_with(&s, "for i in $(seq 300); do /bin/true || echo failed; done; echo done");
	assert_string_equal(text, "done\n");
	text = sh_with(&s, "python3 -c '\nimport threading, time\nn = 0\ntry:\n  while n < 400:\n    threading.Thread(target=time.sleep, args=(60,), "
			   "daemon=True).start(); n += 1\nexcept RuntimeError: pass\nprint(n <= 80, flush=True)\nif n > 80: time.sleep(60)\nimport os; os._exit(0)'");
	bounded(text, "True\n");
	text = sh_with(&s, "perl -e '$x = \"a\" x (1 << 30); print \"GOT\"'");
	assert_null(strstr(text, "GOT"));
	text = sh_with(&s, "head -c 2000000 /dev/zero > large; stat -c %s large");
	assert_true(str_eq(text, "1048576\n") || str_eq(text, ""));
	text = sh_with(&s, "while :; do :; done");
	assert_true(out.exit_code > 128);
	/* The private places have an end: they are the machine's memory. */
	says("df --output=size -B1M /tmp /dev/shm | tail -n +2 | tr -d ' '", "512\n64\n");
	says("ulimit -c; ulimit -n", "0\n1024\n");
}

/* -- places -- */

static void places(void *arg)
{
	static const char *const bad[] = { "/", "/etc", "/usr", "/proc", "/etc/ssl", "/run", "/dev/shm" };
	const char *const argv[] = { "/bin/true", NULL };
	struct sandbox_settings s = plain;
	struct sandbox_bind b = { host.other, "/data", false };

	for (size_t i = 0; i < CH_ARRAY_LEN(bad); i++)
		assert_int_equal(run_with(&plain, (struct sandbox_cmd){ .argv = argv, .workspace = bad[i] }, NULL), CH_E_DENIED);
	assert_int_equal(run_with(&plain, (struct sandbox_cmd){ .argv = argv, .workspace = host.state }, NULL), CH_E_DENIED);
	assert_int_equal(run_with(&plain, (struct sandbox_cmd){ .argv = argv, .workspace = host.base }, NULL), CH_E_DENIED);
	assert_int_equal(run_with(&plain, (struct sandbox_cmd){ .argv = argv, .workspace = in_base("none") }, NULL), CH_E_NOT_FOUND);
	/* Binds: what belongs to the gateway is refused, whatever way it is written. */
	s.binds = &b;
	s.bind_count = 1;
	assert_int_equal(run_with(&s, (struct sandbox_cmd){ .argv = argv }, NULL), CH_E_INVALID);
	assert_int_equal(symlink(host.state, in_base("link")), 0);
	b.source = in_base("link");
	assert_int_equal(run_with(&s, (struct sandbox_cmd){ .argv = argv }, NULL), CH_E_INVALID);
	assert_int_equal(file_mkdirs(in_base("data"), 0700, NULL), CH_OK);
	put(in_base("data/file"), "shown");
	b.source = in_base("data");
	assert_string_equal(sh_with(&s, "cat /data/file; (echo x > /data/new) 2>/dev/null || echo refused"), "shownrefused\n");
	b.is_writable = true;
	assert_string_equal(sh_with(&s, "(echo x > /data/new) && cat /data/new"), "x\n");
	b.target = "/usr/data";
	assert_int_equal(run_with(&s, (struct sandbox_cmd){ .argv = argv }, NULL), CH_E_INVALID);
}

/* A name that leads elsewhere when bubblewrap resolves it: nothing is run. */
static void threat_sandbox_escape_swapped(void *arg)
{
	const char *const argv[] = { SANDBOX_HELPER, SANDBOX_INSIDE, "40,1000000,1000000,10", "-", "/tmp", "1:1:/tmp", "--", "/bin/echo", "GOT", NULL };
	struct sandbox_settings s = plain;

	/* This program is the command here, and a sanitizer's shadow is memory too. */
	s.memory_max = INT64_MAX / 2;
	assert_int_equal(run_with(&s, (struct sandbox_cmd){ .argv = argv }, NULL), CH_OK);
	assert_int_equal(out.exit_code, 126);
	assert_string_equal(buf_str(&out.out), "");
}

static void problems(void *arg)
{
	const char *const argv[] = { "/bin/true", NULL };
	struct sandbox_settings s = plain;

	s.problem = "no docker here";
	assert_int_equal(run_with(&s, (struct sandbox_cmd){ .argv = argv }, NULL), CH_E_ABSENT);
	assert_string_equal(err.text, "no docker here");
}

#define IN_FIBER(name)                            \
	static void test_##name(void **state)     \
	{                                         \
		in_fiber(name, NULL);             \
		proc_result_done(&out);           \
	}
IN_FIBER(works)
IN_FIBER(environment)
IN_FIBER(accesses)
IN_FIBER(threat_sandbox_escape_files)
IN_FIBER(threat_sandbox_escape_descriptors)
/* Nothing may stand where a command could make a folder of tools. */
static void threat_sandbox_escape_tools_folder(void *arg)
{
	static const char *const argv[] = { "/bin/true", NULL };
	struct sandbox_settings s = plain;

	s.own_dir = "tools";
	assert_int_equal(symlink("mine", in_base("state/workspace/tools")), 0);
	assert_int_equal(run_with(&s, (struct sandbox_cmd){ .argv = argv }, NULL), CH_E_DENIED);
	assert_int_equal(unlink(in_base("state/workspace/tools")), 0);
	put(in_base("state/workspace/tools"), "x");
	assert_int_equal(run_with(&s, (struct sandbox_cmd){ .argv = argv }, NULL), CH_E_DENIED);
	assert_non_null(strstr(err.text, "tools.user.enabled"));
	assert_int_equal(unlink(in_base("state/workspace/tools")), 0);
	assert_string_equal(sh_with(&s, "touch tools/x; mv tools other; ls"), "mine\ntools\n");
}

/* What does not fit is no empty input. */
static void long_input(void *arg)
{
	static const char *const argv[] = { "/bin/cat", NULL };
	CH_AUTO_BUF struct buf text = { 0 };

	buf_init(&text, 4u << 20);
	while (text.len <= CHILD_STDIN_MAX)
		buf_puts(&text, "0123456789abcdef");
	assert_int_equal(run_with(&plain, (struct sandbox_cmd){ .argv = argv }, buf_str(&text)), CH_E_LIMIT);
}

IN_FIBER(threat_sandbox_escape_tools_folder)
IN_FIBER(long_input)
IN_FIBER(threat_sandbox_escape_writing)
IN_FIBER(threat_sandbox_escape_privileges)
IN_FIBER(threat_sandbox_escape_terminal)
IN_FIBER(threat_sandbox_escape_own_terminal)
IN_FIBER(threat_sandbox_escape_processes)
IN_FIBER(threat_sandbox_escape_network)
IN_FIBER(threat_sandbox_escape_resources)
IN_FIBER(threat_sandbox_escape_swapped)
IN_FIBER(places)
IN_FIBER(problems)

/* All of it again as a user without rights: the kernel and bubblewrap take other ways then. */
static void test_threat_sandbox_escape_unprivileged(void **state)
{
	int status = -1;
	pid_t pid;

	if (geteuid() != 0)
		return; /* it was not root that ran the others */
	pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY);

		if (dup2(null, STDOUT_FILENO) < 0 || setgroups(0, NULL) || setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534))
			_exit(1);
		setenv("HOME", "/nonexistent", 1);
		execl("/proc/self/exe", "test_sandbox", NULL);
		_exit(errno == EACCES ? 77 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	/* The build directory may be closed to others. */
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

#define ROW(name) cmocka_unit_test_setup_teardown(test_##name, make_host, remove_host)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(works),
		ROW(environment),
		ROW(accesses),
		ROW(threat_sandbox_escape_files),
		ROW(threat_sandbox_escape_descriptors),
		ROW(threat_sandbox_escape_writing),
		ROW(threat_sandbox_escape_tools_folder),
		ROW(long_input),
		ROW(threat_sandbox_escape_privileges),
		ROW(threat_sandbox_escape_terminal),
		ROW(threat_sandbox_escape_own_terminal),
		ROW(threat_sandbox_escape_processes),
		ROW(threat_sandbox_escape_network),
		ROW(threat_sandbox_escape_resources),
		ROW(threat_sandbox_escape_swapped),
		ROW(places),
		ROW(problems),
		cmocka_unit_test(test_threat_sandbox_escape_unprivileged),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
