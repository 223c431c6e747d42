/*
 * models/endpoints.c - services that are known by name: one row each.
 *
 * The order matters twice: the first two are what a key in the environment
 * chooses without any configuration, then the others that have a default
 * model. Services whose dialect this version does not speak have no row.
 */
#include "core/str.h"
#include "models/model.h"

#define KEYS(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define CHAT "openai-completions"
#define RESPONSES "openai-responses"
#define CONVERSE "bedrock-converse-stream"
#define GEMINI "google-generative-ai"
#define MESSAGES "anthropic-messages"

static const struct model_endpoint endpoints[] = {
	{ "anthropic", "Anthropic", "https://api.anthropic.com", MESSAGES, KEYS("ANTHROPIC_API_KEY", "ANTHROPIC_OAUTH_TOKEN"), "claude-opus-5" },
	{ "openai", "OpenAI", "https://api.openai.com/v1", RESPONSES, KEYS("OPENAI_API_KEY"), "gpt-6-astra" },
	{ "amazon-bedrock", "Amazon Bedrock", "https://bedrock-runtime.us-east-1.amazonaws.com", CONVERSE,
	  KEYS("AWS_BEARER_TOKEN_BEDROCK", "AWS_ACCESS_KEY_ID", "AWS_PROFILE") },
	{ "google", "Google", "https://generativelanguage.googleapis.com/v1beta", GEMINI, KEYS("GEMINI_API_KEY", "GOOGLE_API_KEY"),
	  "gemini-3.1-pro-preview" },
	{ "openrouter", "OpenRouter", "https://openrouter.ai/api/v1", CHAT, KEYS("OPENROUTER_API_KEY"), "openrouter/auto" },
	{ "deepseek", "DeepSeek", "https://api.deepseek.com", CHAT, KEYS("DEEPSEEK_API_KEY"), "deepseek-v4-pro" },
	{ "mistral", "Mistral", "https://api.mistral.ai/v1", CHAT, KEYS("MISTRAL_API_KEY"), "mistral-large-latest" },
	{ "groq", "Groq", "https://api.groq.com/openai/v1", CHAT, KEYS("GROQ_API_KEY"), "openai/gpt-oss-120b" },
	{ "arceeai", "Arcee AI", "https://api.arcee.ai/api/v1", CHAT, KEYS("ARCEEAI_API_KEY") },
	{ "azure-openai-responses", "Azure OpenAI", "", "azure-openai-responses", KEYS("AZURE_OPENAI_API_KEY") },
	{ "baseten", "Baseten", "https://inference.baseten.co/v1", CHAT, KEYS("BASETEN_API_KEY") },
	{ "byteplus", "BytePlus", "https://ark.ap-southeast.bytepluses.com/api/v3", CHAT, KEYS("BYTEPLUS_API_KEY") },
	{ "byteplus-plan", "BytePlus Coding Plan", "https://ark.ap-southeast.bytepluses.com/api/coding/v3", CHAT, KEYS("BYTEPLUS_API_KEY") },
	{ "cerebras", "Cerebras", "https://api.cerebras.ai/v1", CHAT, KEYS("CEREBRAS_API_KEY") },
	{ "chutes", "Chutes", "https://llm.chutes.ai/v1", CHAT, KEYS("CHUTES_API_KEY") },
	{ "cloudflare-ai-gateway", "Cloudflare AI Gateway", "", MESSAGES, KEYS("CLOUDFLARE_AI_GATEWAY_API_KEY") },
	{ "cohere", "Cohere", "https://api.cohere.ai/compatibility/v1", CHAT, KEYS("COHERE_API_KEY") },
	{ "deepinfra", "DeepInfra", "https://api.deepinfra.com/v1/openai", CHAT, KEYS("DEEPINFRA_API_KEY") },
	{ "featherless", "Featherless", "https://api.featherless.ai/v1", CHAT, KEYS("FEATHERLESS_API_KEY") },
	{ "fireworks", "Fireworks", "https://api.fireworks.ai/inference/v1", CHAT, KEYS("FIREWORKS_API_KEY") },
	{ "gmi", "GMI Cloud", "https://api.gmi-serving.com/v1", CHAT, KEYS("GMI_API_KEY") },
	{ "huggingface", "Hugging Face", "https://router.huggingface.co/v1", CHAT, KEYS("HF_TOKEN", "HUGGINGFACE_HUB_TOKEN") },
	{ "kilocode", "Kilo Code", "https://api.kilo.ai/api/gateway", CHAT, KEYS("KILOCODE_API_KEY") },
	{ "kimi", "Kimi Code", "https://api.kimi.com/coding", MESSAGES, KEYS("KIMI_API_KEY") },
	{ "litellm", "LiteLLM", "http://localhost:4000", CHAT, KEYS("LITELLM_API_KEY"), .key_optional = true, .is_local = true },
	{ "lmstudio", "LM Studio", "http://127.0.0.1:1234/v1", CHAT, KEYS("LM_API_TOKEN"), .key_optional = true, .is_local = true },
	{ "longcat", "LongCat", "https://api.longcat.chat/openai", CHAT, KEYS("LONGCAT_API_KEY") },
	{ "meta", "Meta", "https://api.meta.ai/v1", RESPONSES, KEYS("MODEL_API_KEY") },
	{ "minimax", "MiniMax", "https://api.minimax.io/anthropic", MESSAGES, KEYS("MINIMAX_API_KEY") },
	{ "moonshot", "Moonshot", "https://api.moonshot.ai/v1", CHAT, KEYS("MOONSHOT_API_KEY") },
	{ "novita", "Novita", "https://api.novita.ai/openai/v1", CHAT, KEYS("NOVITA_API_KEY") },
	{ "nvidia", "NVIDIA", "https://integrate.api.nvidia.com/v1", CHAT, KEYS("NVIDIA_API_KEY") },
	{ "ollama", "Ollama", "http://127.0.0.1:11434", "ollama", KEYS("OLLAMA_API_KEY"), .key_optional = true, .is_local = true },
	{ "ollama-cloud", "Ollama Cloud", "https://ollama.com", "ollama", KEYS("OLLAMA_API_KEY") },
	{ "opencode", "OpenCode Zen", "https://opencode.ai/zen/v1", CHAT, KEYS("OPENCODE_API_KEY", "OPENCODE_ZEN_API_KEY") },
	{ "opencode-go", "OpenCode Go", "https://opencode.ai/zen/go/v1", CHAT, KEYS("OPENCODE_API_KEY", "OPENCODE_ZEN_API_KEY") },
	{ "perplexity", "Perplexity", "https://api.perplexity.ai", CHAT, KEYS("PERPLEXITY_API_KEY") },
	{ "qianfan", "Qianfan", "https://qianfan.baidubce.com/v2", CHAT, KEYS("QIANFAN_API_KEY") },
	{ "qwen", "Qwen", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1", CHAT,
	  KEYS("QWEN_API_KEY", "DASHSCOPE_API_KEY", "MODELSTUDIO_API_KEY") },
	{ "sglang", "SGLang", "http://127.0.0.1:30000/v1", CHAT, KEYS("SGLANG_API_KEY"), .key_optional = true, .is_local = true },
	{ "stepfun", "StepFun", "https://api.stepfun.com/v1", CHAT, KEYS("STEPFUN_API_KEY") },
	{ "synthetic", "Synthetic", "https://api.synthetic.new/anthropic", MESSAGES, KEYS("SYNTHETIC_API_KEY") },
	{ "together", "Together", "https://api.together.xyz/v1", CHAT, KEYS("TOGETHER_API_KEY") },
	{ "tencent-tokenhub", "Tencent TokenHub", "https://tokenhub.tencentmaas.com/v1", CHAT, KEYS("TOKENHUB_API_KEY") },
	{ "tokenhub", "TokenHub", "https://tokenhub.tencentmaas.com/v1", CHAT, KEYS("TOKENHUB_API_KEY") },
	{ "vercel-ai-gateway", "Vercel AI Gateway", "https://ai-gateway.vercel.sh", MESSAGES, KEYS("AI_GATEWAY_API_KEY") },
	{ "venice", "Venice", "https://api.venice.ai/api/v1", CHAT, KEYS("VENICE_API_KEY") },
	{ "volcengine", "Volcengine", "https://ark.cn-beijing.volces.com/api/v3", CHAT, KEYS("VOLCANO_ENGINE_API_KEY") },
	{ "volcengine-plan", "Volcengine Coding Plan", "https://ark.cn-beijing.volces.com/api/coding/v3", CHAT,
	  KEYS("VOLCANO_ENGINE_API_KEY") },
	{ "vllm", "vLLM", "http://127.0.0.1:8000/v1", CHAT, KEYS("VLLM_API_KEY"), .key_optional = true, .is_local = true },
	{ "xai", "xAI", "https://api.x.ai/v1", RESPONSES, KEYS("XAI_API_KEY"), "grok-4.7" },
	{ "xiaomi", "Xiaomi MiMo", "https://api.xiaomimimo.com/v1", CHAT, KEYS("XIAOMI_API_KEY", "XIAOMI_TOKEN_PLAN_API_KEY") },
	{ "zai", "Z.AI", "https://api.z.ai/api/paas/v4", CHAT, KEYS("ZAI_API_KEY", "Z_AI_API_KEY") },
	{ "offline", "Built in", "", "offline", (const char *const[]){ NULL }, "demo", .key_optional = true, .is_local = true },
};

const struct model_endpoint *model_endpoints(size_t *ret_count)
{
	*ret_count = CH_ARRAY_LEN(endpoints);
	return endpoints;
}

const struct model_endpoint *model_endpoint_find(const char *id)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(endpoints); i++) {
		if (str_ieq(endpoints[i].id, id))
			return &endpoints[i];
	}
	return NULL;
}

/* OpenCode's Zen forwards each model in its maker's own dialect. */
static const struct { const char *provider, *prefix, *api; } mixed[] = {
	{ "opencode", "claude-", MESSAGES },
	{ "opencode", "gpt-", RESPONSES },
	{ "opencode", "gemini-", GEMINI },
};

const char *model_endpoint_api(const struct model_endpoint *e, const char *model)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(mixed); i++) {
		if (str_eq(e->id, mixed[i].provider) && str_starts(model, mixed[i].prefix))
			return mixed[i].api;
	}
	return e->api;
}

const struct dialect *dialect_find(const char *api)
{
	static const struct dialect *const all[] = {
		&dialect_anthropic,       &dialect_openai_chat, &dialect_openai_responses,
		&dialect_azure_responses, &dialect_google,      &dialect_chatgpt_responses,
		&dialect_bedrock,         &dialect_ollama,      &dialect_offline,
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(all); i++) {
		if (str_eq(all[i]->api, api))
			return all[i];
	}
	return NULL;
}
