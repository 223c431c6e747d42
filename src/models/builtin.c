/*
 * models/builtin.c - models whose limits and prices are published. A model
 * that is missing here works all the same: the service decides, and its cost
 * is unknown until models.providers.<id>.models[].cost says it. So is that of
 * a row without a price: a guess would be worse than none.
 */
#include "models/models_priv.h"

/* From GPT-5.4 on; "none" is what switches reasoning off, which Astra does not. */
#define GPT_EFFORTS "{\"supportedReasoningEfforts\":[\"none\",\"low\",\"medium\",\"high\",\"xhigh\"]}"
#define GPT_EFFORTS_MAX "{\"supportedReasoningEfforts\":[\"none\",\"low\",\"medium\",\"high\",\"xhigh\",\"max\"]}"
#define GPT_EFFORTS_ALWAYS "{\"supportedReasoningEfforts\":[\"low\",\"medium\",\"high\",\"xhigh\",\"max\"]}"
/* Gemini's levels, where they are not those of its family. */
#define NO_MINIMAL "{\"supportedReasoningEfforts\":[\"low\",\"medium\",\"high\"]}"

static const struct builtin_model table[] = {
	{ "anthropic", "claude-opus-5-5", "Claude Opus 5.5", 1000000, 128000, true, true, 4, 20, 0.2, 5 },
	{ "anthropic", "claude-opus-5", "Claude Opus 5", 1000000, 128000, true, true, 5, 25, 0.5, 6.25 },
	{ "anthropic", "claude-sonnet-5", "Claude Sonnet 5", 1000000, 128000, true, true, 2, 10, 0.2, 2.5 },
	{ "anthropic", "claude-fable-5-1", "Claude Fable 5.1", 1000000, 128000, true, true, 10, 50, 0.25, 12.5 },
	{ "anthropic", "claude-fable-5", "Claude Fable 5", 1000000, 128000, true, true, 10, 50, 1, 12.5 },
	{ "anthropic", "claude-opus-4-8", "Claude Opus 4.8", 1000000, 128000, true, true, 5, 25, 0.5, 6.25 },
	{ "anthropic", "claude-opus-4-7", "Claude Opus 4.7", 200000, 128000, true, true, 5, 25, 0.5, 6.25 },
	{ "anthropic", "claude-opus-4-6", "Claude Opus 4.6", 200000, 128000, true, true, 5, 25, 0.5, 6.25 },
	{ "anthropic", "claude-sonnet-4-6", "Claude Sonnet 4.6", 200000, 128000, true, true, 3, 15, 0.3, 3.75 },
	{ "anthropic", "claude-haiku-4-5", "Claude Haiku 4.5", 200000, 64000, true, true, 1, 5, 0.1, 1.25 },
	{ "openai", "gpt-6-astra", "GPT-6 Astra", 1050000, 128000, true, true, 10, 50, 1, 12.5, GPT_EFFORTS_ALWAYS },
	{ "openai", "gpt-6-sol", "GPT-6 Sol", 1050000, 128000, true, true, 2, 10, 0.2, 2.5, GPT_EFFORTS_MAX },
	{ "openai", "gpt-6-luna", "GPT-6 Luna", 1050000, 128000, true, true, 0.1, 0.5, 0.01, 0.125, GPT_EFFORTS_MAX },
	{ "openai", "gpt-5.6-sol", "GPT-5.6 Sol", 1050000, 128000, true, true, 5, 30, 0.5, 6.25, GPT_EFFORTS_MAX },
	{ "openai", "gpt-5.6-terra", "GPT-5.6 Terra", 1050000, 128000, true, true, 2.5, 15, 0.25, 3.125, GPT_EFFORTS_MAX },
	{ "openai", "gpt-5.6-luna", "GPT-5.6 Luna", 1050000, 128000, true, true, 1, 6, 0.1, 1.25, GPT_EFFORTS_MAX },
	{ "openai", "gpt-5.5", "GPT-5.5", 1050000, 128000, true, true, 5, 30, 0.5, 0, GPT_EFFORTS },
	{ "openai", "gpt-5.4", "GPT-5.4", 1050000, 128000, true, true, 2.5, 15, 0.25, 0, GPT_EFFORTS },
	{ "openai", "gpt-5.4-mini", "GPT-5.4 Mini", 400000, 128000, true, true, 0.75, 4.5, 0.075, 0, GPT_EFFORTS },
	{ "openai", "gpt-5.4-nano", "GPT-5.4 Nano", 400000, 128000, true, true, 0.2, 1.25, 0.02, 0, GPT_EFFORTS },
	{ "openai", "gpt-4.1", "GPT-4.1", 1047576, 32768, false, true, 2, 8, 0.5, 0 },
	{ "openai", "gpt-4.1-mini", "GPT-4.1 Mini", 1047576, 32768, false, true, 0.4, 1.6, 0.1, 0 },
	{ "openai", "gpt-4o", "GPT-4o", 128000, 16384, false, true, 2.5, 10, 1.25, 0 },
	{ "openai", "gpt-4o-mini", "GPT-4o Mini", 128000, 16384, false, true, 0.15, 0.6, 0.075, 0 },
	{ "xai", "grok-4.7", "Grok 4.7", 500000, 64000, true, true, 2, 6, 0.5, 0 },
	{ "xai", "grok-4.6", "Grok 4.6", 500000, 64000, true, true, 2, 6, 0.5, 0 },
	{ "xai", "grok-4.5", "Grok 4.5", 500000, 64000, true, true, 2, 6, 0.3, 0 },
	{ "xai", "grok-4.3", "Grok 4.3", 1000000, 64000, true, true, 1.25, 2.5, 0.2, 0 },
	{ "xai", "grok-build-0.1", "Grok Build 0.1", 256000, 64000, true, true, 1, 2, 0.2, 0 },
	{ "google", "gemini-3.1-pro-preview", "Gemini 3.1 Pro Preview", 1048576, 65536, true, true, 2, 12, 0.2, 0 },
	{ "google", "gemini-3.7-flash", "Gemini 3.7 Flash", 1048576, 65536, true, true, .compat = NO_MINIMAL },
	{ "google", "gemini-3.6-flash", "Gemini 3.6 Flash", 1048576, 65536, true, true, 1.5, 7.5, 0.15, 0 },
	{ "google", "gemini-3.5-flash", "Gemini 3.5 Flash", 1048576, 65536, true, true, 1.5, 9, 0.15, 0 },
	{ "google", "gemini-3.5-flash-lite", "Gemini 3.5 Flash-Lite", 1048576, 65536, true, true },
	{ "google", "gemini-3.1-flash-lite", "Gemini 3.1 Flash Lite", 1048576, 65536, true, true },
	{ "google", "gemini-3-flash-preview", "Gemini 3 Flash Preview", 1048576, 65536, true, true },
	{ "google", "gemini-2.5-pro", "Gemini 2.5 Pro", 1048576, 65536, true, true, 1.25, 10, 0.125, 0 },
	{ "google", "gemini-2.5-flash", "Gemini 2.5 Flash", 1048576, 65536, true, true },
	{ "google", "gemini-2.5-flash-lite", "Gemini 2.5 Flash-Lite", 1048576, 65536, true, true },
	{ "amazon-bedrock", "us.anthropic.claude-opus-4-6-v1", "Claude Opus 4.6 (Bedrock, US)", 200000, 128000, true, true },
	{ "amazon-bedrock", "us.anthropic.claude-sonnet-4-6", "Claude Sonnet 4.6 (Bedrock, US)", 200000, 128000, true, true },
	{ "amazon-bedrock", "amazon.nova-pro-v1:0", "Nova Pro", 300000, 10000, false, true },
	{ "amazon-bedrock", "amazon.nova-lite-v1:0", "Nova Lite", 300000, 10000, false, true },
	{ "deepseek", "deepseek-v4-pro", "DeepSeek V4 Pro", 1048576, 8192, true, false },
	{ "deepseek", "deepseek-v4-flash", "DeepSeek V4 Flash", 1048576, 8192, true, false },
	{ "mistral", "mistral-large-latest", "Mistral Large", 262144, 16384, false, true },
	{ "groq", "openai/gpt-oss-120b", "GPT-OSS 120B", 131072, 8192, true, false },
	{ "groq", "openai/gpt-oss-20b", "GPT-OSS 20B", 131072, 8192, true, false },
	{ "openrouter", "openrouter/auto", "OpenRouter Auto", 200000, 8192, false, true },
	{ "offline", "demo", "Offline demo (rules, no model)", 200000, 4096, false, false },
};

const struct builtin_model *builtin_models(size_t *ret_count)
{
	*ret_count = CH_ARRAY_LEN(table);
	return table;
}
