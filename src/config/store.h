/*
 * config/store.h - the inside of struct config_store; for store.c, write.c, watch.c.
 */
#ifndef CH_CONFIG_STORE_H
#define CH_CONFIG_STORE_H

#include "config/snapshot.h"

struct config_watch;

struct config_store {
	struct loop *loop;
	char *path, *dir, *base;         /* the file, its directory, its name */
	char *last_good;                 /* path of the copy, NULL without a state directory */
	bool is_passive;
	const struct config_secrets *secrets;
	void (*on_change)(void *arg, const struct config_change *ch);
	void *arg;
	uint8_t key[CONFIG_KEY_LEN];
	struct config *current;
	bool is_degraded;
	/* Of the file on disk. */
	uint8_t disk_digest[SHA256_LEN];
	char disk_hash[CONFIG_HASH_LEN];
	struct arena *issue_arena;
	VEC(struct config_issue) issues;
	struct config_watch *watch;      /* NULL when passive */
};

/* The file's text; a file that does not exist is empty text. ret is initialised here. */
CH_MUST_USE ch_status store_read(struct config_store *s, struct buf *ret, struct ch_err *err);
/* A snapshot of that text as our file. */
CH_MUST_USE ch_status store_parse(struct config_store *s, const struct buf *text, uint8_t *ret_digest,
				  struct config **ret, struct ch_err *err);
/* Makes cfg (taken) the current one and tells whoever listens. */
void store_adopt(struct config_store *s, struct config *cfg, bool by_us);
/* Notes the state of the file on disk: its hash, its digest, what is wrong with it. */
void store_note_disk(struct config_store *s, const struct buf *text, const uint8_t *digest,
		     const struct config *cfg, const struct ch_err *err);
/* Looks at the file again; adopts it when it changed and is good. Tells of changed issues too. */
void store_check(struct config_store *s, bool by_us);

struct config_watch *watch_new(struct config_store *s);
/* Watches the directories of the file and of what it includes. */
void watch_update(struct config_watch *w);
void watch_free(struct config_watch *w);         /* NULL is fine */

#endif
