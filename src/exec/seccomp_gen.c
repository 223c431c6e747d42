/*
 * exec/seccomp_gen.c - writes the sandbox's system call filter as a C array; runs at build time, is no part of the program.
 *
 *	seccomp_gen <cpu family of the target> > sandbox_filter.h
 *
 * The filter lets everything pass but what is named here: what a command has no use for and what the kernel's
 * past holes were reached through. Namespaces, mounts, tracing others, keyrings, bpf, perf, io_uring, modules, clocks,
 * pushing input into a terminal, set-uid bits. A refused call fails with EPERM, or with ENOSYS where programs know another way.
 * Calls by another architecture's table (x32, i386) kill the process: their numbers would slip through.
 *
 * Arguments are compared in their low 32 bits where the kernel looks at no more.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <seccomp.h>

#define LOW32 0xffffffffu
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Refused whatever the arguments are. */
static const char *const refused[] = {
	"_sysctl", "acct", "add_key", "adjtimex", "afs_syscall", "bpf", "chroot", "clock_adjtime", "clock_settime",
	"create_module", "delete_module", "fanotify_init", "finit_module", "fsconfig", "fsmount", "fsopen", "fspick",
	"get_kernel_syms", "init_module", "ioperm", "iopl", "kcmp", "kexec_file_load", "kexec_load", "keyctl",
	"lookup_dcookie", "modify_ldt", "mount", "mount_setattr", "move_mount", "move_pages", "name_to_handle_at", "nfsservctl",
	"open_by_handle_at", "open_tree", "perf_event_open", "pidfd_getfd", "pivot_root", "process_madvise",
	"process_vm_readv", "process_vm_writev", "ptrace", "query_module", "quotactl", "quotactl_fd", "reboot",
	"request_key", "setdomainname", "sethostname", "setns", "settimeofday", "stime", "swapoff", "swapon", "sysfs",
	"syslog", "umount", "umount2", "unshare", "uselib", "userfaultfd", "ustat", "vhangup",
};
/*
 * Newer than the library, so they stand in front of what it makes; the numbers are the same on every architecture
 * since Linux 5.1. fchmodat2() has callers that fall back.
 */
static const struct { unsigned nr, error; } numbers[] = {
	{ 452 /* fchmodat2 */, ENOSYS }, { 457 /* statmount */, EPERM }, { 458 /* listmount */, EPERM },
	{ 467 /* open_tree_attr */, EPERM },
};

/* "There is no such call": their arguments lie in memory where a filter cannot see them, and all callers fall back. */
static const char *const unknown[] = { "clone3", "io_uring_enter", "io_uring_register", "io_uring_setup", "memfd_secret", "openat2" };

static const unsigned long namespaces[] = {
	CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER, CLONE_NEWUTS, 0x80 /* CLONE_NEWTIME */,
};

/* A call that can make a file, and which argument holds the mode. */
static const struct { const char *name; unsigned mode_arg; } modes[] = {
	{ "chmod", 1 }, { "fchmod", 1 }, { "fchmodat", 2 }, { "creat", 1 }, { "mkdir", 1 }, { "mkdirat", 2 }, { "mknod", 1 }, { "mknodat", 2 },
};

/* What terminals and the console are told: input as if typed, line disciplines, selections. */
static const unsigned long ioctls[] = { TIOCSTI, TIOCLINUX, TIOCSETD };

static int add(scmp_filter_ctx ctx, uint32_t action, const char *name, unsigned count, const struct scmp_arg_cmp *args)
{
	int nr = seccomp_syscall_resolve_name(name);
	int rc;

	if (nr == __NR_SCMP_ERROR) {
		fprintf(stderr, "seccomp_gen: the library does not know '%s'\n", name);
		return -EINVAL;
	}
	rc = seccomp_rule_add_array(ctx, action, nr, count, args);
	/* Not every architecture has every call. */
	if (rc && rc != -EDOM)
		fprintf(stderr, "seccomp_gen: %s: %s\n", name, strerror(-rc));
	return rc == -EDOM ? 0 : rc;
}

static int add_plain(scmp_filter_ctx ctx)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < COUNT(refused); i++)
		rc = add(ctx, SCMP_ACT_ERRNO(EPERM), refused[i], 0, NULL);
	for (size_t i = 0; !rc && i < COUNT(unknown); i++)
		rc = add(ctx, SCMP_ACT_ERRNO(ENOSYS), unknown[i], 0, NULL);
	return rc;
}

static int add_mode(scmp_filter_ctx ctx, const char *name, unsigned arg, unsigned long bit)
{
	return add(ctx, SCMP_ACT_ERRNO(EPERM), name, 1, &SCMP_CMP(arg, SCMP_CMP_MASKED_EQ, bit, bit));
}

static int add_open(scmp_filter_ctx ctx, const char *name, unsigned flags_arg, unsigned long flag, unsigned long bit)
{
	const struct scmp_arg_cmp args[] = {
		SCMP_CMP(flags_arg, SCMP_CMP_MASKED_EQ, flag, flag),
		SCMP_CMP(flags_arg + 1, SCMP_CMP_MASKED_EQ, bit, bit),
	};

	return add(ctx, SCMP_ACT_ERRNO(EPERM), name, 2, args);
}

/* No set-uid or set-gid file can be left in the workspace for somebody outside to run. */
static int add_modes(scmp_filter_ctx ctx)
{
	static const unsigned long bits[] = { S_ISUID, S_ISGID };
	static const unsigned long makes[] = { O_CREAT, O_TMPFILE & ~O_DIRECTORY };
	int rc = 0;

	for (size_t b = 0; !rc && b < COUNT(bits); b++) {
		for (size_t i = 0; !rc && i < COUNT(modes); i++)
			rc = add_mode(ctx, modes[i].name, modes[i].mode_arg, bits[b]);
		for (size_t i = 0; !rc && i < COUNT(makes); i++) {
			rc = add_open(ctx, "open", 1, makes[i], bits[b]);
			if (!rc)
				rc = add_open(ctx, "openat", 2, makes[i], bits[b]);
		}
	}
	return rc;
}

/* Local and internet sockets only; netlink, packet, vsock, bluetooth, … are not there. */
static int add_sockets(scmp_filter_ctx ctx)
{
	static const char *const calls[] = { "socket", "socketpair" };
	int rc = 0;

	for (size_t i = 0; !rc && i < COUNT(calls); i++) {
		for (unsigned family = 0; !rc && family < AF_INET6; family++) {
			if (family != AF_UNIX && family != AF_INET)
				rc = add(ctx, SCMP_ACT_ERRNO(EAFNOSUPPORT), calls[i], 1,
					 &SCMP_A0(SCMP_CMP_MASKED_EQ, LOW32, family));
		}
		if (!rc)
			rc = add(ctx, SCMP_ACT_ERRNO(EAFNOSUPPORT), calls[i], 1, &SCMP_A0(SCMP_CMP_GT, AF_INET6, 0));
	}
	return rc;
}

static int add_arguments(scmp_filter_ctx ctx)
{
	int rc = add(ctx, SCMP_ACT_ERRNO(EPERM), "personality", 1, &SCMP_A0(SCMP_CMP_NE, 0, 0));

	for (size_t i = 0; !rc && i < COUNT(namespaces); i++)
		rc = add(ctx, SCMP_ACT_ERRNO(EPERM), "clone", 1,
			 &SCMP_A0(SCMP_CMP_MASKED_EQ, namespaces[i], namespaces[i]));
	for (size_t i = 0; !rc && i < COUNT(ioctls); i++)
		rc = add(ctx, SCMP_ACT_ERRNO(EPERM), "ioctl", 1, &SCMP_A1(SCMP_CMP_MASKED_EQ, LOW32, ioctls[i]));
	return rc;
}

static scmp_filter_ctx make(uint32_t arch)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int rc = ctx ? 0 : -ENOMEM;

	if (!rc && arch != seccomp_arch_native()) {
		rc = seccomp_arch_add(ctx, arch);
		if (!rc)
			rc = seccomp_arch_remove(ctx, SCMP_ARCH_NATIVE);
	}
	if (!rc)
		rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (!rc)
		rc = add_plain(ctx);
	if (!rc)
		rc = add_arguments(ctx);
	if (!rc)
		rc = add_modes(ctx);
	if (!rc)
		rc = add_sockets(ctx);
	if (!rc)
		return ctx;
	fprintf(stderr, "seccomp_gen: %s\n", strerror(-rc));
	seccomp_release(ctx);
	return NULL;
}

/* For each: load the number; equal: fail, else go on. The accumulator is loaded again by what follows. */
static bool put_numbers(int fd)
{
	for (size_t i = 0; i < COUNT(numbers); i++) {
		const struct sock_filter code[] = {
			BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
			BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, numbers[i].nr, 0, 1),
			BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | numbers[i].error),
		};

		if (write(fd, code, sizeof(code)) != sizeof(code))
			return false;
	}
	return true;
}

static int print(scmp_filter_ctx ctx)
{
	int fd = memfd_create("filter", 0);
	unsigned char byte;
	size_t n = 0;

	if (fd < 0 || !put_numbers(fd) || seccomp_export_bpf(ctx, fd) || lseek(fd, 0, SEEK_SET) < 0) {
		perror("seccomp_gen");
		return 1;
	}
	puts("/* Made by exec/seccomp_gen.c: a BPF program, 8 bytes an instruction. */");
	puts("static const unsigned char sandbox_filter[] = {");
	while (read(fd, &byte, 1) == 1)
		printf("%u,%s", byte, ++n % 24 ? "" : "\n");
	puts("};");
	close(fd);
	return n && n % 8 == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	static const struct { const char *family; uint32_t arch; } targets[] = {
		{ "x86_64", SCMP_ARCH_X86_64 }, { "aarch64", SCMP_ARCH_AARCH64 },
	};

	for (size_t i = 0; argc == 2 && i < COUNT(targets); i++) {
		if (!strcmp(argv[1], targets[i].family)) {
			scmp_filter_ctx ctx = make(targets[i].arch);
			int rc = ctx ? print(ctx) : 1;

			seccomp_release(ctx);
			return rc;
		}
	}
	fprintf(stderr, "usage: seccomp_gen x86_64|aarch64\n");
	return 2;
}
