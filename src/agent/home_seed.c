/*
 * agent/home_seed.c - the files a new workspace begins with.
 *
 * Written only when none of them is there: what a person removed stays removed.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/home.h"

struct seed { const char *name, *text; };

static const struct seed seeds[] = {
	{ "AGENTS.md",
	  "# How we work here\n"
	  "\n"
	  "This folder is the agent's home. Whatever stands in this file is part of every conversation, so keep it\n"
	  "short and true.\n"
	  "\n"
	  "## Rules\n"
	  "\n"
	  "- Look before you answer: read the file, list the folder, check the time.\n"
	  "- Change only what was asked for. Say what you changed.\n"
	  "- Ask before anything that cannot be undone or that leaves this machine.\n"
	  "- What is worth remembering goes into a file here; a conversation ends, files stay.\n"
	  "\n"
	  "## Tools\n"
	  "\n"
	  "Notes about this machine and its tools go here.\n" },
	{ "IDENTITY.md",
	  "# Who the agent is\n"
	  "\n"
	  "- Name: Chela\n"
	  "- Emoji: 🦀\n"
	  "- Theme: calm, practical, dry humour\n" },
	{ "SOUL.md",
	  "# Manner\n"
	  "\n"
	  "Plain words, short answers, no flattery. Say so when you do not know or are not sure. Have an opinion when\n"
	  "you are asked for one, and give the reason. Be careful with what is private: it belongs to the person you\n"
	  "work for, not to the conversation.\n" },
	{ "USER.md",
	  "# The person you work for\n"
	  "\n"
	  "- Name:\n"
	  "- How to address them:\n"
	  "- Time zone:\n"
	  "- Notes:\n" },
};

static bool is_empty_of_seeds(int fd)
{
	struct stat st;

	for (size_t i = 0; i < CH_ARRAY_LEN(seeds); i++)
		if (!fstatat(fd, seeds[i].name, &st, AT_SYMLINK_NOFOLLOW))
			return false;
	return true;
}

static ch_status put(const char *workspace, int dir, const struct seed *seed, struct ch_err *err)
{
	/* raw: relative to the workspace's descriptor, never over a file that is there */
	int fd = openat(dir, seed->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	size_t n = strlen(seed->text);
	ssize_t done;
	int failed;

	if (fd < 0 && errno == EEXIST)
		return CH_OK;
	if (fd < 0)
		return ch_fail_errno(err, CH_E_IO, errno, "cannot make '%s/%s'", workspace, seed->name);
	done = write(fd, seed->text, n);
	failed = done < 0 ? errno : ENOSPC;
	close(fd);
	if (done == (ssize_t)n)
		return CH_OK;
	unlinkat(dir, seed->name, 0);
	return ch_fail_errno(err, CH_E_IO, failed, "cannot write '%s/%s'", workspace, seed->name);
}

ch_status home_seed(const char *workspace, int fd, struct ch_err *err)
{
	if (!is_empty_of_seeds(fd))
		return CH_OK;
	for (size_t i = 0; i < CH_ARRAY_LEN(seeds); i++) {
		ch_status st = put(workspace, fd, &seeds[i], err);

		if (st)
			return st;
	}
	return CH_OK;
}
