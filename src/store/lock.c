/*
 * store/lock.c - the lock file of a state directory.
 *
 * An open-file-description lock (fcntl F_OFD_SETLK): unlike flock() it can be
 * asked about without being taken, and unlike POSIX locks it is not lost when
 * some other code closes the same file. The file stays when the lock goes:
 * removing it would let two gateways lock two files of one name.
 */
#include "store/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/mem.h"
#include "core/str.h"

#define LOCK_TEXT_MAX 512
#define GONE_WAIT_MS 2000                /* for what a killed gateway was about to start: it still has the descriptor */
#define GONE_STEP_US 5000

struct lock {
	int fd;
};

static const struct flock whole_file = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

static char *lock_path(const char *dir)
{
	return ch_asprintf("%s/gateway.lock", dir);
}

/* The rest of the line that begins with name and a blank; "" when there is none. */
static void line_value(const char *text, const char *name, char *ret_value, size_t cap)
{
	size_t name_len = strlen(name);

	ret_value[0] = '\0';
	for (const char *line = text; line; ) {
		const char *end = strchr(line, '\n');
		size_t len = end ? (size_t)(end - line) : strlen(line);

		if (len > name_len && !strncmp(line, name, name_len) && line[name_len] == ' ') {
			snprintf(ret_value, cap, "%.*s", (int)(len - name_len - 1), line + name_len + 1);
			return;
		}
		line = end ? end + 1 : NULL;
	}
}

/* What the file says of its holder; empty fields where it says nothing. */
static void read_info(int fd, struct lock_info *ret)
{
	char text[LOCK_TEXT_MAX + 1];
	char pid[24];
	ssize_t n = pread(fd, text, LOCK_TEXT_MAX, 0);

	text[n > 0 ? n : 0] = '\0';
	*ret = (struct lock_info){ 0 };
	line_value(text, "pid", pid, sizeof(pid));
	if (!str_to_i64(pid, &ret->pid))
		ret->pid = 0;
	line_value(text, "started", ret->started, sizeof(ret->started));
	line_value(text, "host", ret->host, sizeof(ret->host));
}

static ch_status write_info(int fd)
{
	char started[CLOCK_ISO_LEN], text[LOCK_TEXT_MAX], host[65] = "";
	int n;

	clock_iso(now_wall_ms(), started);
	if (gethostname(host, sizeof(host) - 1) < 0)
		snprintf(host, sizeof(host), "unknown");
	n = snprintf(text, sizeof(text), "pid %ld\nstarted %s\nhost %s\n", (long)getpid(), started, host);
	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) != n)
		return CH_E_IO;
	return CH_OK;
}

static ch_status fail_held(int fd, const char *dir, struct ch_err *err)
{
	struct lock_info info;

	read_info(fd, &info);
	if (info.pid <= 0)
		return ch_fail(err, CH_E_BUSY, "another gateway uses the state directory %s; stop it or set "
			       "CHELA_STATE_DIR", dir);
	return ch_fail(err, CH_E_BUSY,
		       "the gateway with pid %lld on %s, started %s, uses the state directory %s; "
		       "stop it or set CHELA_STATE_DIR",
		       (long long)info.pid, info.host, info.started, dir);
}

/* Whoever took it is no more; somebody that it had begun to start holds the lock, and is about to end. */
static bool is_holder_gone(int fd)
{
	struct lock_info info;
	char host[65] = "";

	read_info(fd, &info);
	(void)!gethostname(host, sizeof(host) - 1);
	return info.pid > 0 && str_eq(info.host, host) && kill((pid_t)info.pid, 0) < 0 && errno == ESRCH;
}

static int set_lock(int fd)
{
	struct flock want = whole_file;
	int64_t until = now_mono_ms() + GONE_WAIT_MS;
	int saved;

	while (fcntl(fd, F_OFD_SETLK, &want) < 0) {
		saved = errno;
		if ((saved != EAGAIN && saved != EACCES) || now_mono_ms() >= until || !is_holder_gone(fd))
			return saved;
		usleep(GONE_STEP_US);    /* nothing runs yet that this could hold up */
	}
	return 0;
}

ch_status lock_take(const char *dir, struct lock **ret, struct ch_err *err)
{
	CH_AUTO_STR char *path = lock_path(dir);
	struct lock *lock;
	int saved;
	/* Raw, because the descriptor itself is the lock; it does not pass to children. */
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return ch_fail_errno(err, CH_E_IO, errno, "cannot open the lock file %s", path);
	saved = set_lock(fd);
	if (saved) {
		ch_status st = saved == EAGAIN || saved == EACCES ? fail_held(fd, dir, err) :
			       ch_fail_errno(err, CH_E_IO, saved, "cannot lock %s", path);

		close(fd);
		return st;
	}
	if (write_info(fd)) {
		saved = errno;
		close(fd);
		return ch_fail_errno(err, CH_E_IO, saved, "cannot write the lock file %s", path);
	}
	lock = ch_alloc(sizeof(*lock));
	lock->fd = fd;
	*ret = lock;
	return CH_OK;
}

void lock_release(struct lock *lock)
{
	if (!lock)
		return;
	(void)!ftruncate(lock->fd, 0); /* else only the text is stale; the lock goes with the descriptor */
	close(lock->fd);
	ch_free(lock);
}

ch_status lock_holder(const char *dir, struct lock_info *ret, struct ch_err *err)
{
	CH_AUTO_STR char *path = lock_path(dir);
	struct flock held = whole_file;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ch_status st = CH_OK;

	if (fd < 0)
		return ch_fail_errno(err, errno == ENOENT ? CH_E_NOT_FOUND : CH_E_IO, errno,
				     "cannot open the lock file %s", path);
	if (fcntl(fd, F_OFD_GETLK, &held) < 0)
		st = ch_fail_errno(err, CH_E_IO, errno, "cannot ask about the lock %s", path);
	else if (held.l_type == F_UNLCK)
		st = ch_fail(err, CH_E_NOT_FOUND, "no gateway runs in %s", dir);
	else
		read_info(fd, ret);
	close(fd);
	return st;
}
