/*
 * net/port_holder.c - from a port to a process: /proc/net/tcp gives the inode
 * of the listening socket, and one of /proc/<pid>/fd/<n> links to it.
 */
#include "net/port_holder.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STATE_LISTEN 0x0a

static void file_close(FILE *f)
{
	if (f)
		fclose(f);
}
CH_AUTO_DEFINE(file_close, FILE)

static void dir_close(DIR *d)
{
	if (d)
		closedir(d);
}
CH_AUTO_DEFINE(dir_close, DIR)

/* "  sl: local:PORT remote:PORT STATE tx:rx tr:when retransmits uid timeout inode …" */
static bool find_inode(const char *table, uint16_t port, uint64_t *ret_inode)
{
	CH_AUTO(file_close) FILE *rows = fopen(table, "re");
	char line[512];
	bool is_found = false;

	while (rows && !is_found && fgets(line, sizeof(line), rows)) {
		unsigned local_port, state;

		is_found = sscanf(line,
				  " %*[0-9]: %*[0-9A-Fa-f]:%4x %*[0-9A-Fa-f]:%*4x %2x %*s %*s %*s %*s %*s "
				  "%" SCNu64,
				  &local_port, &state, ret_inode) == 3 &&
			   local_port == port && state == STATE_LISTEN;
	}
	return is_found;
}

static bool has_inode(const char *pid, uint64_t inode)
{
	char path[64], want[40], link[64];
	CH_AUTO(dir_close) DIR *fds = NULL;
	bool is_found = false;

	snprintf(path, sizeof(path), "/proc/%.16s/fd", pid);
	snprintf(want, sizeof(want), "socket:[%" PRIu64 "]", inode);
	fds = opendir(path);
	for (struct dirent *e; fds && !is_found && (e = readdir(fds)); ) {
		ssize_t n = readlinkat(dirfd(fds), e->d_name, link, sizeof(link) - 1);

		is_found = n == (ssize_t)strlen(want) && !memcmp(link, want, (size_t)n);
	}
	return is_found;
}

static void describe(const char *pid, char *ret_text, size_t size)
{
	char path[64], name[32] = "?";
	CH_AUTO(file_close) FILE *comm = NULL;

	snprintf(path, sizeof(path), "/proc/%.16s/comm", pid);
	comm = fopen(path, "re");
	if (comm && fgets(name, sizeof(name), comm))
		name[strcspn(name, "\n")] = '\0';
	for (char *p = name; *p; p++) {
		if (*p < ' ' || *p > '~')
			*p = '?';               /* a process may call itself anything */
	}
	snprintf(ret_text, size, "pid %.16s (%s)", pid, name);
}

bool port_holder_find(uint16_t port, char *ret_text, size_t size)
{
	uint64_t inode;
	CH_AUTO(dir_close) DIR *processes = NULL;
	bool is_found = false;

	if (!find_inode("/proc/net/tcp", port, &inode) && !find_inode("/proc/net/tcp6", port, &inode))
		return false;
	processes = opendir("/proc");
	for (struct dirent *e; processes && !is_found && (e = readdir(processes)); ) {
		if (e->d_name[0] < '1' || e->d_name[0] > '9' || !has_inode(e->d_name, inode))
			continue;
		describe(e->d_name, ret_text, size);
		is_found = true;
	}
	return is_found;
}
