/*
 * agent/home_seed.c - the files a new workspace begins with, and the end of its first talk.
 *
 * Written only when none of them is there: what a person removed stays removed. BOOTSTRAP.md asks
 * the agent to get to know its person; it goes when what it asks for is written down.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/home.h"
#include "core/str.h"
#include "tools/file.h"

#define SEED_MAX (16u << 10)              /* bytes; a longer file is none of ours */

#define RITUAL "BOOTSTRAP.md"

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
	{ RITUAL,
	  "# The first talk\n"
	  "\n"
	  "You and the person you work for have not met. Before other work, or right after a first urgent answer, get\n"
	  "to know each other. One or two questions at a time, and stop as soon as they want to get on with things:\n"
	  "\n"
	  "1. Say hello in your own words. Ask what you shall be called, and which emoji fits.\n"
	  "2. Ask how they like to be talked to: short or thorough, formal or not, how much initiative.\n"
	  "3. Ask who they are: name, form of address, time zone, what they mostly want help with.\n"
	  "4. Say what you can reach (this folder and the tools you have) and what you will always ask before doing.\n"
	  "\n"
	  "Then write it down, all in one go: your name, emoji and theme in IDENTITY.md (keep the \"- Label: value\"\n"
	  "lines), your manner in SOUL.md, what you learned about them in USER.md. Nothing secret goes into files. This\n"
	  "file is taken away once they have changed.\n" },
};

bool home_seed_is_due(int fd)
{
	struct stat st;

	for (size_t i = 0; i < CH_ARRAY_LEN(seeds); i++)
		if (!fstatat(fd, seeds[i].name, &st, AT_SYMLINK_NOFOLLOW))
			return false;
	return true;
}

const char *home_seed_text(const char *name)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(seeds); i++)
		if (str_eq(seeds[i].name, name))
			return seeds[i].text;
	return NULL;
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

ch_status home_seed(const char *workspace, int fd, bool with_ritual, struct ch_err *err)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(seeds); i++) {
		ch_status st;

		if (!with_ritual && str_eq(seeds[i].name, RITUAL))
			continue;
		st = put(workspace, fd, &seeds[i], err);

		if (st)
			return st;
	}
	return CH_OK;
}

/* -- the first talk -- */

/* Is the file there, and byte for byte what we wrote? */
static bool is_as_seeded(int fd, const char *name, bool *ret_exists)
{
	const char *seed = home_seed_text(name);
	CH_AUTO_BUF struct buf b = { 0 };
	struct ws_stamp stamp;
	ch_status st;

	buf_init(&b, SEED_MAX);
	st = ws_load(fd, name, &b, &stamp, NULL);
	*ret_exists = st != CH_E_NOT_FOUND;
	return !st && str_eq(buf_str(&b), seed);
}

bool home_is_configured(int fd)
{
	static const char *const told[] = { "SOUL.md", "IDENTITY.md", "USER.md" };
	struct stat st;

	for (size_t i = 0; i < CH_ARRAY_LEN(told); i++) {
		bool exists;

		if (!is_as_seeded(fd, told[i], &exists) && exists)
			return true;
	}
	return !fstatat(fd, "memory", &st, AT_SYMLINK_NOFOLLOW) && S_ISDIR(st.st_mode);
}

bool home_end_ritual(int fd)
{
	bool exists;

	if (!is_as_seeded(fd, RITUAL, &exists) || !home_is_configured(fd))
		return false;
	return !unlinkat(fd, RITUAL, 0);
}
