/*
 * agent/context_text.c - what fills the window, written down: for /context list, detail and json.
 *
 * The JSON has the member names of the reference's report where it has the same subject.
 */
#include <string.h>

#include "agent/context.h"
#include "core/str.h"

static void put_count(struct buf *out, int64_t n)
{
	char digits[24];
	size_t len = (size_t)snprintf(digits, sizeof(digits), "%lld", (long long)n);

	for (size_t i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0 && digits[i - 1] != '-')
			buf_putc(out, ',');
		buf_putc(out, digits[i]);
	}
}

/* "- name: ~1,234 tokens (12 %)" */
static void put_part(struct buf *out, const struct context_report *r, const char *indent, const char *name, int64_t tokens)
{
	buf_printf(out, "%s- %s: ~", indent, name);
	put_count(out, tokens);
	buf_puts(out, " tokens");
	if (r->window)
		buf_printf(out, " (%.1f %%)", 100.0 * (double)tokens / (double)r->window);
	buf_putc(out, '\n');
}

static const char *state_of(const struct home_file_size *f)
{
	if (f->is_missing)
		return "missing";
	if (f->is_unreadable)
		return "cannot be read";
	return f->is_cut ? "cut" : "whole";
}

static void put_files(struct buf *out, const struct context_report *r)
{
	buf_puts(out, "\nFiles of `");
	buf_printf(out, "%s` (at most ", r->workspace);
	put_count(out, r->limits.file_chars);
	buf_puts(out, " characters each, ");
	put_count(out, r->limits.total_chars);
	buf_puts(out, " together):\n");
	for (size_t i = 0; i < r->file_count; i++) {
		const struct home_file_size *f = &r->files[i];

		buf_printf(out, "- %s: %s", f->name, state_of(f));
		if (!f->is_missing && !f->is_unreadable) {
			buf_puts(out, ", raw ");
			put_count(out, f->raw_chars);
			buf_puts(out, " characters (~");
			put_count(out, f->raw_tokens);
			buf_puts(out, " tokens), injected ");
			put_count(out, f->shown_chars);
			buf_puts(out, " (~");
			put_count(out, f->shown_tokens);
			buf_puts(out, ")");
		}
		buf_putc(out, '\n');
	}
}

static int64_t tool_tokens(const struct model_tool *t)
{
	return model_estimate_tokens(t->name, strlen(t->name)) + model_estimate_tokens(t->description, strlen(t->description)) +
	       model_estimate_tokens(t->schema_json, strlen(t->schema_json));
}

static void put_names(struct buf *out, const struct context_report *r)
{
	buf_puts(out, "\nTools: ");
	for (size_t i = 0; i < r->prompt->tool_count; i++)
		buf_printf(out, "%s%s", i ? ", " : "", r->prompt->tools[i].name);
	buf_puts(out, r->prompt->tool_count ? "\n" : "none\n");
	buf_puts(out, "Skills: none\n");
}

static void put_detail(struct buf *out, const struct context_report *r)
{
	buf_puts(out, "\nSystem prompt, by section:\n");
	for (size_t i = 0; i < r->section_count; i++)
		put_part(out, r, "", r->sections[i].name, r->sections[i].tokens);
	buf_puts(out, "\nTools, with their schemas:\n");
	for (size_t i = 0; i < r->prompt->tool_count; i++)
		put_part(out, r, "", r->prompt->tools[i].name, tool_tokens(&r->prompt->tools[i]));
	if (!r->prompt->tool_count)
		buf_puts(out, "- none\n");
	buf_puts(out, "\nSkills: none\n");
}

void context_text(const struct context_report *r, bool with_detail, struct buf *out)
{
	buf_puts(out, "🧠 **Context**: ~");
	put_count(out, r->total_tokens);
	if (r->window) {
		buf_puts(out, " of ");
		put_count(out, r->window);
	}
	buf_printf(out, " tokens, `%s`%s\n\n", r->model.ref, r->prompt->mode == PROMPT_LEAN ? ", lean prompt" : "");
	put_part(out, r, "", "System prompt", r->prompt_tokens - r->files_tokens);
	put_part(out, r, "", "Workspace files", r->files_tokens);
	put_part(out, r, "", "Tools", r->prompt->tool_tokens);
	if (r->summary_tokens)
		put_part(out, r, "", "Summary of older messages", r->summary_tokens);
	put_part(out, r, "", r->messages == 1 ? "1 message" : "Messages", r->message_tokens);
	if (r->window) {
		put_part(out, r, "", "Reserved for the reply", r->reserve);
		put_part(out, r, "", "Free", CH_MAX(r->window - r->reserve - r->total_tokens, 0));
	}
	put_files(out, r);
	if (with_detail)
		put_detail(out, r);
	else
		put_names(out, r);
	buf_puts(out, "\nThe counts are estimates. ");
	if (r->used_tokens) {
		buf_puts(out, "The provider counted ");
		put_count(out, r->used_tokens);
		buf_puts(out, " for the last request. ");
	}
	buf_puts(out, "`/compact` makes room.");
}

/* -- JSON -- */

static void json_prompt(struct jw *w, const struct context_report *r)
{
	size_t chars = strlen(r->prompt->text);

	jw_kobj(w, "systemPrompt");
	jw_kint(w, "chars", (int64_t)chars);
	jw_kint(w, "projectContextChars", (int64_t)(chars - r->prompt->files_at));
	jw_kint(w, "nonProjectContextChars", (int64_t)r->prompt->files_at);
	jw_kint(w, "tokens", r->prompt_tokens);
	jw_karr(w, "sections");
	for (size_t i = 0; i < r->section_count; i++) {
		jw_obj(w);
		jw_kstr(w, "name", r->sections[i].name);
		jw_kint(w, "chars", (int64_t)r->sections[i].bytes);
		jw_kint(w, "tokens", r->sections[i].tokens);
		jw_end(w);
	}
	jw_end(w);
	jw_end(w);
}

static void json_files(struct jw *w, const struct context_report *r)
{
	jw_karr(w, "injectedWorkspaceFiles");
	for (size_t i = 0; i < r->file_count; i++) {
		const struct home_file_size *f = &r->files[i];

		jw_obj(w);
		jw_kstr(w, "name", f->name);
		jw_kbool(w, "missing", f->is_missing);
		jw_kint(w, "rawChars", f->raw_chars);
		jw_kint(w, "injectedChars", f->shown_chars);
		jw_kbool(w, "truncated", f->is_cut);
		jw_kint(w, "tokens", f->shown_tokens);
		jw_end(w);
	}
	jw_end(w);
}

static void json_tools(struct jw *w, const struct context_report *r)
{
	int64_t schema_chars = 0;

	jw_kobj(w, "tools");
	jw_karr(w, "entries");
	for (size_t i = 0; i < r->prompt->tool_count; i++) {
		const struct model_tool *t = &r->prompt->tools[i];

		jw_obj(w);
		jw_kstr(w, "name", t->name);
		jw_kint(w, "summaryChars", (int64_t)strlen(t->description));
		jw_kint(w, "schemaChars", (int64_t)strlen(t->schema_json));
		jw_kint(w, "tokens", tool_tokens(t));
		jw_end(w);
		schema_chars += (int64_t)strlen(t->schema_json);
	}
	jw_end(w);
	jw_kint(w, "schemaChars", schema_chars);
	jw_kint(w, "tokens", r->prompt->tool_tokens);
	jw_end(w);
	jw_kobj(w, "skills");
	jw_kint(w, "promptChars", 0);
	jw_karr(w, "entries");
	jw_end(w);
	jw_end(w);
}

static void json_history(struct jw *w, const struct context_report *r)
{
	jw_kobj(w, "history");
	jw_kint(w, "messages", (int64_t)r->messages);
	jw_kint(w, "tokens", r->message_tokens);
	jw_kint(w, "summaryTokens", r->summary_tokens);
	jw_end(w);
}

void context_json(const struct context_report *r, const struct sess *s, struct buf *out)
{
	struct jw w = JW(out);

	jw_obj(&w);
	jw_kobj(&w, "report");
	jw_kstr(&w, "source", "estimate");
	jw_kstr(&w, "sessionKey", s->key);
	jw_kstr(&w, "sessionId", s->session_id);
	jw_kstr(&w, "provider", r->model.provider);
	jw_kstr(&w, "model", r->model.id);
	jw_kstr(&w, "promptMode", r->prompt->mode == PROMPT_LEAN ? "lean" : "full");
	jw_kstr(&w, "workspaceDir", r->workspace);
	jw_kint(&w, "bootstrapMaxChars", r->limits.file_chars);
	jw_kint(&w, "bootstrapTotalMaxChars", r->limits.total_chars);
	json_prompt(&w, r);
	json_files(&w, r);
	json_tools(&w, r);
	json_history(&w, r);
	jw_kint(&w, "totalTokens", r->total_tokens);
	jw_kint(&w, "reserveTokens", r->reserve);
	jw_end(&w);
	jw_kobj(&w, "session");
	jw_kint(&w, "totalTokens", r->used_tokens);
	jw_kint(&w, "contextTokens", r->window);
	jw_kint(&w, "compactionCount", s->compaction_count);
	jw_end(&w);
	jw_end(&w);
}
