/*
 * agent/footer.c - the line under a reply that says what it took (/usage), and the same for a session.
 *
 * It goes out with the reply and is not written down: what the model sees of the past stays its own words.
 */
#include "agent/footer.h"

#include <inttypes.h>
#include <math.h>

#include "agent/host.h"
#include "core/str.h"

const char *footer_count(struct arena *a, int64_t n)
{
	if (n < 1000)
		return arena_printf(a, "%" PRId64, n);
	if (n < 1000000)
		return arena_printf(a, n < 10000 ? "%.1fk" : "%.0fk", (double)n / 1000);
	return arena_printf(a, "%.1fM", (double)n / 1000000);
}

static const char *tokens_line(struct run *r)
{
	const struct model_usage *u = &r->spent.sum;
	struct arena *a = r->arena;
	const char *line = arena_printf(a, "Usage: %s in / %s out", footer_count(a, u->input), footer_count(a, u->output));

	if (u->cache_read || u->cache_write)
		line = arena_printf(a, "%s · cache %s read, %s written", line, footer_count(a, u->cache_read),
				    footer_count(a, u->cache_write));
	return line;
}

static const char *full_line(struct run *r)
{
	struct arena *a = r->arena;
	const char *line = arena_printf(a, "%s%s", r->result.model[0] ? r->result.model : r->entry.id, r->is_fast ? " ⚡" : "");
	const int64_t window = r->entry.context_window;

	if (r->told_thinking)
		line = arena_printf(a, "%s · thinking %s", line, r->told_thinking);
	if (window)
		line = arena_printf(a, "%s · context %" PRId64 " %% of %s", line, r->spent.last_prompt * 100 / window,
				    footer_count(a, window));
	line = arena_printf(a, "%s · %s in / %s out", line, footer_count(a, r->spent.sum.input), footer_count(a, r->spent.sum.output));
	return r->spent.has_cost ? arena_printf(a, "%s · $%.4f", line, r->spent.cost.total) : line;
}

const char *footer_of(struct run *r)
{
	struct agent_settings now;

	if (!r->spent.requests || r->extras)
		return NULL;             /* nothing was asked, or a program reads it */
	agent_settings_of(host_config(r->host), r->sess, &now);
	if (str_eq(now.usage, "off"))
		return NULL;
	return str_eq(now.usage, "full") ? full_line(r) : tokens_line(r);
}
