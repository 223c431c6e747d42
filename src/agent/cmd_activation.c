/*
 * agent/cmd_activation.c - /activation: whether a room's messages need to address us. The owner's word, for this room alone.
 */
#include "agent/command.h"

#include "channels/activation.h"
#include "core/str.h"
#include "sessions/key.h"

static const char *const modes[] = { "mention", "always", "default", NULL };

static ch_status do_activation(struct run *r, const char *args, struct buf *out, struct ch_err *err)
{
	static const char *const answers[] = {
		[ACTIVATION_UNSET] = "⚙️ The configuration says when I answer in this room (requireMention).",
		[ACTIVATION_MENTION] = "⚙️ I answer in this room when I am mentioned.",
		[ACTIVATION_ALWAYS] = "⚙️ I answer everything that allowed people say in this room.",
	};
	struct db *db = sess_store_db(r->host->opts.sessions);
	const char *word = command_word(r->arena, &args);
	enum activation mode = ACTIVATION_UNSET;
	ch_status st = CH_OK;

	if (!str_eq(sess_key_kind(r->session_key), "group"))
		return ch_fail(err, CH_E_UNSUPPORTED, "/activation is for rooms: here everything is answered");
	if (!word) {
		buf_puts(out, answers[activation_of(db, r->session_key)]);
		return CH_OK;
	}
	if (!r->sender_is_owner)
		return ch_fail(err, CH_E_DENIED, "/activation is the owner's: `chela config set commands.ownerAllowFrom` names them");
	if (str_ieq(word, "always"))
		mode = ACTIVATION_ALWAYS;
	else if (str_ieq(word, "mention"))
		mode = ACTIVATION_MENTION;
	else if (!str_ieq(word, "default"))
		return ch_fail(err, CH_E_INVALID, "/activation takes mention, always or default, not '%.60s'", word);
	st = activation_set(db, r->session_key, mode, err);
	if (!st)
		buf_puts(out, answers[mode]);
	return st;
}

const struct slash_command cmd_activation = {
	.name = "activation",
	.description = "Answer everything in this room, or only mentions.",
	.args_hint = "[mention | always | default]",
	.category = "management",
	.args = (const struct slash_arg[]){ { "mode", "mention, always or default", modes }, { 0 } },
	.when = SLASH_BESIDE,
	.run = do_activation,
};
