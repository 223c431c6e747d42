/*
 * models/ledger.c - a row for every request that reached a provider.
 */
#include "core/clock.h"
#include "core/log.h"
#include "core/str.h"
#include "models/models_priv.h"

static const char insert_sql[] =
	"INSERT INTO ledger (at, provider, model, api, reason, agent_id, session_key, run_id, attempt, outcome,"
	" http_status, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,"
	" cost_input, cost_output, cost_cache_read, cost_cache_write, cost_total,"
	" first_byte_ms, total_ms, response_id, response_model, auth_profile)"
	" VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";

static const char *reason_name(enum model_reason r)
{
	static const char *const names[] = {
		[MODEL_FOR_TURN] = "turn",
		[MODEL_FOR_TITLE] = "title",
		[MODEL_FOR_COMPACTION] = "compaction",
		[MODEL_FOR_PROBE] = "probe",
		[MODEL_FOR_SILENT] = "silent",
		[MODEL_FOR_EMBEDDING] = "embedding",
	};

	return names[r];
}

static void bind_cost(struct db_stmt *s, int at, const struct model_result *r)
{
	const double parts[] = { r->cost.input, r->cost.output, r->cost.cache_read, r->cost.cache_write, r->cost.total };

	for (size_t i = 0; i < CH_ARRAY_LEN(parts); i++) {
		if (r->has_cost)
			db_bind_num(s, at + (int)i, parts[i]);
		else
			db_bind_null(s, at + (int)i);
	}
}

static ch_status insert(struct db *db, const struct ledger_row *row, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	const struct model_result *r = row->result;
	ch_status st;
	int i = 1;

	st = db_prep(db, insert_sql, &s, err);
	if (st)
		return st;
	db_bind_int(s, i++, now_wall_ms());
	db_bind_text(s, i++, r->provider);
	db_bind_text(s, i++, r->model);
	db_bind_text(s, i++, r->api);
	db_bind_text(s, i++, reason_name(row->call->reason));
	db_bind_text(s, i++, row->call->agent_id);
	db_bind_text(s, i++, row->call->session_key);
	db_bind_text(s, i++, row->call->run_id);
	db_bind_int(s, i++, row->attempt);
	db_bind_text(s, i++, row->outcome);
	db_bind_int(s, i++, r->http_status);
	db_bind_int(s, i++, r->usage.input);
	db_bind_int(s, i++, r->usage.output);
	db_bind_int(s, i++, r->usage.cache_read);
	db_bind_int(s, i++, r->usage.cache_write);
	bind_cost(s, i, r);
	i += 5;
	if (r->first_byte_ms >= 0)
		db_bind_int(s, i++, r->first_byte_ms);
	else
		db_bind_null(s, i++);
	db_bind_int(s, i++, r->total_ms);
	db_bind_text(s, i++, str_empty(r->response_id) ? NULL : r->response_id);
	db_bind_text(s, i++, str_empty(r->response_model) ? NULL : r->response_model);
	db_bind_text(s, i++, str_empty(row->auth_profile) ? NULL : row->auth_profile);
	return db_run(CH_TAKE(s), NULL, err);
}

void ledger_add(struct db *db, const struct ledger_row *row)
{
	struct ch_err err;

	if (db && insert(db, row, &err))
		log_warn("models", "ledger: a request to %s/%s is not recorded, its answer is kept: %s", row->result->provider,
			 row->result->model, err.text);
}
