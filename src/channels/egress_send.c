/*
 * channels/egress_send.c - the way of one row: files fetched, cut, its turn, the intent on disk, the network, the result on disk.
 *
 * A crash before the intent leaves it pending: nothing was sent. After it the row is `sending` when it is found again, and the
 * part may be out: it is repeated where repeating shows once (an idempotent network, an edit), looked for where the network can
 * look, and otherwise left as unsure, which an operator is told.
 */
#include "channels/egress_priv.h"

#include <string.h>

#include "channels/render.h"
#include "channels/sniff.h"
#include "core/clock.h"
#include "core/crypto.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/rand.h"
#include "core/str.h"

#define NOTICE_TEXT 80
#define PART_KEY_LEN 33

/* What one step works on; all on its arena. */
struct job {
	struct chan_egress *e;
	struct egress_lane *lane;
	struct chan_acct *acct;          /* a reference */
	const struct chan_ops *ops;
	struct arena *arena;
	struct outbox_row row;
	struct chan_message m;
	const struct outbox_part *parts; size_t part_count;
	struct egress_bytes *bytes; size_t byte_count;
	struct chan_out out;
	char key[PART_KEY_LEN];
};

/* -- ends -- */

static const char *head_of_text(const struct chan_message *m, struct arena *a)
{
	const char *text = m->text ? m->text : m->poll ? m->poll->question : "(no text)";
	size_t len = strlen(text), cut = utf8_cut(text, len, NOTICE_TEXT);
	char *head = arena_strndup(a, text, cut);

	for (char *p = head; *p; p++)
		if ((unsigned char)*p < ' ')
			*p = ' ';
	return cut < len ? arena_printf(a, "%s…", head) : head;
}

static void tell(struct chan_egress *e, const struct outbox_row *row, const char *became, const char *reason)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const struct chan_up *up = chan_host_up(e->host);
	struct chan_acct *acct = chan_acct_find(e->host, row->channel, row->account);
	struct chan_message m = { .peer.id = "?" };
	const struct outbox_part *parts;
	struct ch_err err = { 0 };
	size_t count;

	if (outbox_read(row->message, a, &m, &parts, &count, &err))
		log_warn("channels", "message %lld: %s; the notice goes without its text", (long long)row->id, err.text);
	log_warn("channels", "chan=%s account=%s run=%s message %lld %s: %s; it is kept as a dead letter", row->channel,
		 row->account, row->run_id ? row->run_id : "-", (long long)row->id, became, log_quote(reason));
	if (acct)
		chan_acct_log(acct, "message %lld %s: %s", (long long)row->id, became, reason);
	/* Who waits for it is told by that. */
	if (up && up->notice && !egress_is_waited(e, row->id))
		up->notice(up->arg, row->session_key,
			   arena_printf(a, "A message to %s %s (account %s) %s: %s. It began: \"%s\". See: chela channels dead-letters",
					row->channel, m.peer.name ? m.peer.name : m.peer.id, row->account, became, reason,
					head_of_text(&m, a)));
}

ch_status egress_give_up(struct chan_egress *e, const struct outbox_row *row, enum outbox_state state, const char *reason,
			 struct ch_err *err)
{
	CH_AUTO(db_rollback) struct db *tx = NULL;
	ch_status st = db_begin(e->db, err);

	if (st)
		return st;
	tx = e->db;
	st = outbox_end(e->db, row->id, state, reason, now_wall_ms(), err);
	if (st)
		return st;
	/* In the same transaction: a crash leaves neither an end that nobody was told of nor one that is told twice. */
	tell(e, row, state == OUTBOX_UNSURE ? "may not have arrived" : "was not sent", reason);
	st = db_commit(CH_TAKE(tx), err);
	if (st == CH_E_CONFLICT)         /* the notice could not be written: the log has it, and the row ends without */
		st = outbox_end(e->db, row->id, state, reason, now_wall_ms(), err);
	if (!st)
		fiber_cond_broadcast(&e->ended);
	return st;
}

/* The database did not take it: nothing changed, looked at again. */
static enum egress_next store_failed(struct job *j, const struct ch_err *err, int64_t *ret_wait_ms)
{
	log_warn("channels", "chan=%s account=%s the outbox: %s; again in %d ms", j->lane->channel, j->lane->account, err->text,
		 EGRESS_STORE_MS);
	*ret_wait_ms = EGRESS_STORE_MS;
	return EGRESS_LATER;
}

static enum egress_next give_up(struct job *j, enum outbox_state state, const char *reason, int64_t *ret_wait_ms)
{
	struct ch_err err = { 0 };

	return egress_give_up(j->e, &j->row, state, reason, &err) ? store_failed(j, &err, ret_wait_ms) : EGRESS_AGAIN;
}

/* 400 ms, 800 ms, … 30 s, 10 % more or less. */
static int64_t backoff(int attempts)
{
	int64_t ms = CH_MIN((int64_t)EGRESS_RETRY_MS << CH_MIN(attempts, 10), EGRESS_RETRY_MAX_MS);

	return ms - ms / 10 + (int64_t)rand_below((uint64_t)ms / 5 + 1);
}

/* -- before sending -- */

static ch_status rewrite(struct job *j, struct ch_err *err)
{
	CH_AUTO_BUF struct buf json = { 0 };
	ch_status st;

	buf_init(&json, OUTBOX_MESSAGE_MAX);
	st = outbox_write(&j->m, j->parts, j->part_count, &json, err);
	if (!st)
		st = outbox_rewrite(j->e->db, j->row.id, json.data, json.len, (int)j->part_count, err);
	if (st)
		return st;
	j->row.parts = (int)j->part_count;
	j->row.message = arena_strndup(j->arena, json.data, json.len);
	return CH_OK;
}

/* A file that cannot be had is said in the text, so that the rest still arrives. */
static void leave_out(struct job *j, struct chan_file *files, size_t i, const char *why)
{
	const char *name = files[i].name ? files[i].name : files[i].url;
	const char *text = j->m.text ? j->m.text : "";

	j->m.text = arena_printf(j->arena, "%s%s(File not sent: %s: %s)", text, *text ? "\n\n" : "", name, why);
	memmove(&files[i], &files[i + 1], (j->m.file_count - i - 1) * sizeof(*files));
	j->m.file_count--;
}

static ch_status fetch_files(struct job *j, const struct chan_cfg *cfg, struct ch_err *err)
{
	struct chan_file *files = arena_alloc(j->arena, (j->m.file_count + 1) * sizeof(*files));
	size_t max_bytes = egress_file_max(j->ops, cfg);

	memcpy(files, j->m.files, j->m.file_count * sizeof(*files));
	j->m.files = files;
	for (size_t i = 0; i < j->m.file_count;) {
		ch_status st = CH_OK;

		for (int n = 0; !files[i].staged && n < EGRESS_FETCH_TRIES; n++) {
			st = egress_file_stage(j->e, NULL, max_bytes, &files[i], j->arena, err);
			if (st != CH_E_PEER && st != CH_E_TIMEOUT)
				break;
		}
		if (st == CH_E_CANCELED)
			return st;
		if (st)
			leave_out(j, files, i, err ? err->text : "it could not be fetched");
		else
			i++;
	}
	return CH_OK;
}

static ch_status cut(struct job *j, const struct chan_cfg *cfg, struct ch_err *err)
{
	const char **mimes = arena_alloc(j->arena, (j->m.file_count + 1) * sizeof(*mimes));

	for (size_t i = 0; i < j->m.file_count; i++) {
		ch_status st = egress_file_mime(j->e, &j->m.files[i], &mimes[i], err);

		if (st)
			return st;
	}
	return egress_cut(j->ops, cfg, &j->m, mimes, j->arena, &j->parts, &j->part_count, err);
}

/* Files there, text cut: nothing was sent before. */
static ch_status prepare(struct job *j, struct ch_err *err)
{
	CH_AUTO(chan_cfg_unref) struct chan_cfg *cfg =
		chan_cfg_new(chan_host_config(j->e->host), j->row.channel, j->row.account);
	ch_status st;

	st = fetch_files(j, cfg, err);
	return st ? st : cut(j, cfg, err);
}

static void part_key(struct job *j)
{
	char *text = arena_printf(j->arena, "%s\n%d", j->row.key, j->row.part);
	char hex[2 * SHA256_LEN + 1];

	sha256_hex(text, strlen(text), hex);
	memcpy(j->key, hex, PART_KEY_LEN - 1);
	j->key[PART_KEY_LEN - 1] = '\0';
}

static ch_status load_files(struct job *j, const struct outbox_part *p, struct ch_err *err)
{
	struct chan_media_out *media = arena_alloc(j->arena, (p->file_count + 1) * sizeof(*media));
	size_t most = (size_t)CH_MAX(j->ops->limits.media_max_bytes, (int64_t)1 << 31);

	j->bytes = arena_alloc(j->arena, (p->file_count + 1) * sizeof(*j->bytes));
	for (size_t i = 0; i < p->file_count; i++) {
		struct egress_bytes *b = &j->bytes[i];
		ch_status st = egress_file_load(j->e, &j->m.files[p->file_first + i], most, j->arena, b, err);

		if (st)
			return st;
		j->byte_count = i + 1;
		media[i] = (struct chan_media_out){ .kind = b->kind, .data = b->buf.data ? b->buf.data : "", .len = b->buf.len,
						    .name = b->name, .mime = b->mime,
						    .is_round = j->m.files[p->file_first + i].as_round };
	}
	j->out.media = media;
	j->out.media_count = p->file_count;
	return CH_OK;
}

static ch_status fill(struct job *j, struct ch_err *err)
{
	const struct outbox_part *p = &j->parts[j->row.part];
	const struct chan_message *m = &j->m;

	part_key(j);
	j->out = (struct chan_out){
		.peer = m->peer,
		.reply_to = p->is_reply ? m->reply_to : NULL,
		.text = p->text,
		.plain = p->plain,
		.buttons = p->has_buttons ? m->buttons : NULL,
		.button_count = p->has_buttons ? m->button_count : 0,
		.poll = p->has_poll ? m->poll : NULL,
		.location = p->has_location ? m->location : NULL,
		.key = j->key,
		.handle = m->handle,
		.ephemeral_to = m->ephemeral_to,
		.is_silent = m->is_silent,
		.is_pinned = m->is_pinned && j->row.part == 0,
		.has_previews = chan_cfg_bool(chan_acct_cfg(j->acct), "linkPreview", true),
	};
	return p->file_count ? load_files(j, p, err) : CH_OK;
}

/* -- its turn -- */

/* 0: now; else what there is to wait. */
static int64_t wait_for_turn(struct job *j)
{
	struct pace *p = j->e->pace;
	const char *channel = j->row.channel, *account = j->row.account, *peer = j->m.peer.id;

	if (!j->lane->turn_at)
		j->lane->turn_at = now_mono_ms() + pace_take(p, channel, account, peer, &j->ops->limits, INT64_MAX / 4);
	return CH_MAX(pace_paused_ms(p, channel, account, peer), j->lane->turn_at - now_mono_ms());
}

/* -- the network -- */

static const struct outbox_part *this_part(const struct job *j)
{
	return &j->parts[j->row.part];
}

static ch_status send_part(struct job *j, struct chan_sent *ret, struct ch_err *err)
{
	ch_status st;

	if (!this_part(j)->is_edit)
		return j->ops->send(j->acct, &j->out, j->arena, ret, err);
	st = j->ops->edit(j->acct, j->m.draft_id, &j->out, err);
	*ret = (struct chan_sent){ .outcome = CHAN_SENT, .message_id = j->m.draft_id };
	if (st)
		ret->outcome = ch_status_retryable(st) || st == CH_E_CANCELED || st == CH_E_IO ? CHAN_NOT_SENT : CHAN_REFUSED;
	return st;
}

/* May the part be sent again although it may be out? */
static bool is_repeatable(const struct job *j)
{
	return (j->ops->caps & CHAN_IDEMPOTENT) || this_part(j)->is_edit;
}

/* -- after it -- */

/* What the network said, until it is on disk. */
static void know(struct job *j, const struct chan_sent *sent)
{
	struct egress_lane *l = j->lane;

	ch_free(l->known.message_id);
	ch_free(l->known.thread);
	l->known.row_id = j->row.id;
	l->known.part = j->row.part;
	l->known.outcome = sent->outcome;
	l->known.message_id = ch_strdup(sent->message_id);
	l->known.thread = ch_strdup(sent->thread);
}

static bool is_known(const struct job *j)
{
	return j->lane->known.row_id == j->row.id && j->lane->known.part == j->row.part;
}

static bool is_last(const struct job *j)
{
	return j->row.part + 1 >= j->row.parts;
}

/* A part that opened a thread takes the parts after it along. */
static ch_status note_sent(struct job *j, const struct chan_sent *sent, struct ch_err *err)
{
	CH_AUTO(db_rollback) struct db *tx = NULL;
	ch_status st;

	if (!sent->thread || is_last(j))
		return outbox_sent(j->e->db, &j->row, sent->message_id, now_wall_ms(), err);
	st = db_begin(j->e->db, err);
	if (st)
		return st;
	tx = j->e->db;
	j->m.peer.thread = sent->thread;
	st = rewrite(j, err);
	if (!st)
		st = outbox_sent(j->e->db, &j->row, sent->message_id, now_wall_ms(), err);
	return st ? st : db_commit(CH_TAKE(tx), err);
}

static enum egress_next on_sent(struct job *j, const struct chan_sent *sent, int64_t *ret_wait_ms)
{
	struct ch_err err = { 0 };

	if (note_sent(j, sent, &err))
		return store_failed(j, &err, ret_wait_ms);
	chan_note_out(j->acct);
	if (is_last(j)) {
		egress_files_drop(j->e, j->row.message);
		fiber_cond_broadcast(&j->e->ended);
	}
	return EGRESS_AGAIN;
}

/* Once more later, as `state`. */
static enum egress_next again(struct job *j, enum outbox_state state, int attempts, int64_t wait_ms, const char *error,
		       int64_t *ret_wait_ms)
{
	struct ch_err err = { 0 };

	if (outbox_again(j->e->db, j->row.id, state, attempts, now_wall_ms() + wait_ms, error, &err))
		return store_failed(j, &err, ret_wait_ms);
	*ret_wait_ms = wait_ms;
	return EGRESS_LATER;
}

static void obey_retry_after(struct job *j, const struct chan_sent *sent, const struct ch_err *why)
{
	if (why->retry_after_ms > 0)
		pace_pause(j->e->pace, j->row.channel, j->row.account, sent->is_place_only ? j->m.peer.id : NULL,
			   why->retry_after_ms);
}

/* The login is not good any more, and the account has not noticed yet: that is no fault of the message, which waits. */
static enum egress_next on_login(struct job *j, const struct ch_err *why, int64_t *ret_wait_ms)
{
	const struct chan_up *up = chan_host_up(j->e->host);

	if (chan_note_refused(j->acct)) {
		log_warn("channels", "chan=%s account=%s messages are refused: %s; tried again each minute, for a day", j->row.channel,
			 j->row.account, log_quote(why->text));
		chan_acct_log(j->acct, "messages are refused: %s", why->text);
		if (up && up->notice)
			up->notice(up->arg, NULL, arena_printf(j->arena, "Messages to %s (account %s) are refused: %s. They wait for a day. "
							       "See: chela channels status --probe", j->row.channel, j->row.account,
							       why->text));
	}
	return again(j, OUTBOX_PENDING, j->row.attempts, CH_MAX((int64_t)EGRESS_LOGIN_MS, (int64_t)why->retry_after_ms), why->text,
		     ret_wait_ms);
}

static enum egress_next on_not_sent(struct job *j, const struct chan_sent *sent, const struct ch_err *why, int64_t *ret_wait_ms)
{
	int64_t wait_ms = CH_MAX(backoff(j->row.attempts), (int64_t)why->retry_after_ms);
	int attempts = j->row.attempts + 1;

	obey_retry_after(j, sent, why);
	if (why->code == CH_E_DENIED || why->code == CH_E_UNPAIRED)
		return on_login(j, why, ret_wait_ms);
	if (!chan_acct_is_up(j->acct) || j->e->is_draining)
		attempts = j->row.attempts;
	if (attempts >= CHAN_TRIES)
		return give_up(j, OUTBOX_FAILED, why->text, ret_wait_ms);
	log_debug("channels", "chan=%s account=%s message %lld: %s; again in %lld ms", j->row.channel, j->row.account,
		  (long long)j->row.id, why->text, (long long)wait_ms);
	return again(j, OUTBOX_PENDING, attempts, wait_ms, why->text, ret_wait_ms);
}

/* The draft cannot be changed any more: it goes, and the message is sent as a new one. */
CH_FIBER static enum egress_next drop_draft(struct job *j, int64_t *ret_wait_ms)
{
	struct outbox_part *parts = arena_alloc(j->arena, j->part_count * sizeof(*parts));
	struct ch_err err = { 0 };

	if (j->ops->remove && j->ops->remove(j->acct, &j->m.peer, j->m.draft_id, &err))
		log_debug("channels", "chan=%s account=%s message %lld: its preview stays: %s", j->row.channel, j->row.account,
			  (long long)j->row.id, err.text);
	memcpy(parts, j->parts, j->part_count * sizeof(*parts));
	parts[j->row.part].is_edit = false;
	j->parts = parts;
	j->m.draft_id = NULL;
	if (rewrite(j, &err) || outbox_again(j->e->db, j->row.id, OUTBOX_PENDING, 0, 0, NULL, &err))
		return store_failed(j, &err, ret_wait_ms);
	return EGRESS_AGAIN;
}

/*
 * The network takes less than mediaMaxMb says: what was to be said beside the files still is, and that they are missing as a part
 * of its own, since the text may be as long as one can be.
 */
static enum egress_next drop_files(struct job *j, int64_t *ret_wait_ms)
{
	struct outbox_part *parts = arena_alloc(j->arena, (j->part_count + 1) * sizeof(*parts)), *here = &parts[j->row.part];
	size_t first = this_part(j)->file_first, after = j->part_count - (size_t)j->row.part - 1;
	const char *note = "(Not sent, too large for this network:", *shown;
	struct ch_err err = { 0 };

	for (size_t i = 0; i < this_part(j)->file_count; i++)
		note = arena_printf(j->arena, "%s %s", note, j->m.files[first + i].name ? j->m.files[first + i].name : "a file");
	note = arena_printf(j->arena, "%s)", note);
	shown = render_escape(j->arena, j->ops->flavour, note);
	memcpy(parts, j->parts, ((size_t)j->row.part + 1) * sizeof(*parts));
	here->file_count = 0;
	if (here->text || here->has_buttons || here->has_poll) {
		memcpy(here + 2, this_part(j) + 1, after * sizeof(*parts));
		here[1] = (struct outbox_part){ .text = shown, .plain = note };
		j->part_count++;
	} else {
		memcpy(here + 1, this_part(j) + 1, after * sizeof(*parts));
		here->text = shown;
		here->plain = note;
	}
	j->parts = parts;
	if (rewrite(j, &err) || outbox_again(j->e->db, j->row.id, OUTBOX_PENDING, 0, 0, NULL, &err))
		return store_failed(j, &err, ret_wait_ms);
	return EGRESS_AGAIN;
}

static enum egress_next on_refused(struct job *j, const struct ch_err *why, int64_t *ret_wait_ms)
{
	if (this_part(j)->is_edit)
		return drop_draft(j, ret_wait_ms);
	/* Who waits for it is told by the error. */
	if (why->code == CH_E_LIMIT && this_part(j)->file_count && !egress_is_waited(j->e, j->row.id))
		return drop_files(j, ret_wait_ms);
	if (why->code == CH_E_UNPAIRED)
		return on_login(j, why, ret_wait_ms);
	return give_up(j, OUTBOX_FAILED, why->text, ret_wait_ms);
}

static enum egress_next on_unsure(struct job *j, const struct ch_err *why, int64_t *ret_wait_ms)
{
	int attempts = j->row.attempts + 1;

	/* Going down: the next start settles it. */
	if (j->e->is_draining)
		return EGRESS_DONE;
	if (attempts >= CHAN_TRIES || (!is_repeatable(j) && !j->ops->reconcile))
		return give_up(j, OUTBOX_UNSURE, why->text, ret_wait_ms);
	return again(j, OUTBOX_SENDING, attempts, backoff(j->row.attempts), why->text, ret_wait_ms);
}

static enum egress_next after(struct job *j, ch_status st, const struct chan_sent *sent, const struct ch_err *why, int64_t *ret_wait_ms)
{
	switch (sent->outcome) {
	case CHAN_SENT:
		if (!st)
			return on_sent(j, sent, ret_wait_ms);
		return on_unsure(j, why, ret_wait_ms);
	case CHAN_NOT_SENT:
		return on_not_sent(j, sent, why, ret_wait_ms);
	case CHAN_UNSURE:
		return on_unsure(j, why, ret_wait_ms);
	case CHAN_REFUSED:
		return on_refused(j, why, ret_wait_ms);
	}
	ch_bug(__FILE__, __LINE__, "an outcome that no network has");
}

/* -- one step -- */

/* The part may be out. EGRESS_DONE: it is known not to be, it goes the usual way. */
static enum egress_next settle(struct job *j, int64_t *ret_wait_ms)
{
	struct chan_sent sent = { .outcome = CHAN_UNSURE };
	struct ch_err err = { 0 };
	ch_status st;

	if (is_known(j) && j->lane->known.outcome == CHAN_SENT) {
		sent.message_id = j->lane->known.message_id;
		sent.thread = j->lane->known.thread;
		return on_sent(j, &sent, ret_wait_ms);
	}
	if (is_repeatable(j) || (is_known(j) && j->lane->known.outcome != CHAN_UNSURE))
		return EGRESS_DONE;
	if (!j->ops->reconcile)
		return give_up(j, OUTBOX_UNSURE, "the gateway was restarted while it was being sent", ret_wait_ms);
	j->lane->is_sending = true;
	st = j->ops->reconcile(j->acct, &j->out, j->row.sending_at, j->arena, &sent, &err);
	j->lane->is_sending = false;
	if (!st && sent.outcome == CHAN_SENT)
		return on_sent(j, &sent, ret_wait_ms);
	if (!st && sent.outcome == CHAN_NOT_SENT) {
		know(j, &sent);
		return again(j, OUTBOX_PENDING, j->row.attempts, 0, NULL, ret_wait_ms);
	}
	if (!st || !ch_status_retryable(st)) {
		if (!err.text[0])
			ch_fail(&err, CH_E_PEER, "the platform did not say whether it has it");
		return j->e->is_draining ? EGRESS_DONE : give_up(j, OUTBOX_UNSURE, err.text, ret_wait_ms);
	}
	return on_unsure(j, &err, ret_wait_ms);
}

/* Meanwhile the account went down: it was not sent after all. */
static enum egress_next unintend(struct job *j, int64_t *ret_wait_ms)
{
	struct ch_err err = { 0 };

	/* A repeatable part that may be out since before stays so. */
	if (j->row.state == OUTBOX_PENDING && outbox_again(j->e->db, j->row.id, OUTBOX_PENDING, j->row.attempts, 0, j->row.error, &err))
		know(j, &(struct chan_sent){ .outcome = CHAN_NOT_SENT });
	return EGRESS_DONE;
}

static enum egress_next send_row(struct job *j, int64_t *ret_wait_ms)
{
	struct chan_sent sent = { .outcome = CHAN_UNSURE };
	struct ch_err err = { 0 };
	enum egress_next step;
	ch_status st;

	if (j->row.state == OUTBOX_SENDING) {
		step = settle(j, ret_wait_ms);
		if (step != EGRESS_DONE || j->e->is_draining)
			return step;
		*ret_wait_ms = wait_for_turn(j);
		if (*ret_wait_ms > 0)
			return EGRESS_LATER;
	}
	if (egress_intend(j->e, j->row.id, &err))
		return store_failed(j, &err, ret_wait_ms);
	if (!chan_acct_is_up(j->acct) || j->e->is_draining)
		return unintend(j, ret_wait_ms);
	j->lane->turn_at = 0;
	j->lane->is_sending = true;
	st = send_part(j, &sent, &err);
	j->lane->is_sending = false;
	know(j, &sent);
	if (st && !err.text[0])
		ch_fail(&err, st, "the network gave no reason");
	return after(j, st, &sent, &err, ret_wait_ms);
}

static enum egress_next step_row(struct job *j, int64_t *ret_wait_ms)
{
	int64_t now = now_wall_ms();
	struct ch_err err = { 0 };
	ch_status st;

	if (j->row.state == OUTBOX_PENDING && now - j->row.created_at > CHAN_EXPIRES_MS)
		return give_up(j, OUTBOX_FAILED, j->row.error ? j->row.error : EGRESS_TOO_LATE, ret_wait_ms);
	if (j->row.next_at > now) {
		*ret_wait_ms = j->row.next_at - now;
		return EGRESS_LATER;
	}
	st = outbox_read(j->row.message, j->arena, &j->m, &j->parts, &j->part_count, &err);
	if (st)
		return give_up(j, OUTBOX_FAILED, err.text, ret_wait_ms);
	if (j->row.state == OUTBOX_PENDING) {
		*ret_wait_ms = wait_for_turn(j);
		if (*ret_wait_ms > 0)
			return EGRESS_LATER;
	}
	if (!j->part_count) {
		st = prepare(j, &err);
		if (!st && rewrite(j, &err))
			return store_failed(j, &err, ret_wait_ms);
	}
	if (!st)
		st = fill(j, &err);
	if (st == CH_E_CANCELED || j->e->is_draining)
		return EGRESS_DONE;
	if (st)
		return give_up(j, OUTBOX_FAILED, err.text, ret_wait_ms);
	return send_row(j, ret_wait_ms);
}

static void job_done(struct job *j)
{
	for (size_t i = 0; i < j->byte_count; i++)
		buf_done(&j->bytes[i].buf);
	chan_acct_unref(j->acct);
	arena_unref(j->arena);
}

CH_FIBER enum egress_next egress_step(struct chan_egress *e, struct egress_lane *l, int64_t *ret_wait_ms)
{
	struct chan_acct *acct = chan_acct_find(e->host, l->channel, l->account);
	__attribute__((cleanup(job_done))) struct job j = { .e = e, .lane = l };
	struct ch_err err = { 0 };
	ch_status st;

	if (!acct || !chan_acct_is_up(acct))
		return EGRESS_DONE;
	j.acct = chan_acct_ref(acct);
	j.ops = chan_acct_ops(acct);
	j.arena = arena_new(0);
	st = outbox_next(e->db, l->channel, l->account, l->key, j.arena, &j.row, &err);
	if (st == CH_E_NOT_FOUND)
		return EGRESS_DONE;
	if (st)
		return store_failed(&j, &err, ret_wait_ms);
	return step_row(&j, ret_wait_ms);
}
