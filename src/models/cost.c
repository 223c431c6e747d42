/*
 * models/cost.c - what a request cost, from its usage and the model's price.
 */
#include "models/models_priv.h"

#define PER_MILLION 1e-6

bool cost_of(const struct model_entry *e, const struct model_usage *usage, struct model_cost *ret)
{
	if (!e->has_cost)
		return false;
	ret->input = (double)usage->input * e->cost_input * PER_MILLION;
	ret->output = (double)usage->output * e->cost_output * PER_MILLION;
	ret->cache_read = (double)usage->cache_read * e->cost_cache_read * PER_MILLION;
	ret->cache_write = (double)usage->cache_write * e->cost_cache_write * PER_MILLION;
	ret->total = ret->input + ret->output + ret->cache_read + ret->cache_write;
	return true;
}
