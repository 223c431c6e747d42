/*
 * models/call_params.h - the settings of a request that the configuration
 * makes: agents.defaults.models."provider/model".params and its kin. Internal
 * to models/.
 */
#ifndef CH_MODELS_CALL_PARAMS_H
#define CH_MODELS_CALL_PARAMS_H

#include "models/model.h"

/*
 * Merged, the later wins by name: the provider's model entry, agents.defaults.params,
 * agents.defaults.models.<ref>.params, agents.entries.<id>.models.<ref>.params,
 * agents.entries.<id>.params, call->params. NULL when there are none. On the arena.
 */
const struct json *call_params(const struct config *c, const struct model_call *call, const struct model_entry *e,
			       struct arena *a);

#endif
