/*
 * exec/process_name.c - names of processes: two words and a digit, easy to say and to tell apart.
 */
#include <stdio.h>
#include <string.h>

#include "core/rand.h"
#include "core/str.h"
#include "exec/process_priv.h"

#define DIGITS 10

/* Not pointers: these tables cost no relocations. */
static const char colours[][8] = {
	"amber", "azure", "brisk", "calm", "clear", "coral", "cosy", "crisp", "dusky", "fair", "fresh",
	"gentle", "gold", "green", "hazel", "ivory", "jade", "keen", "lively", "lunar", "mellow", "misty",
	"neat", "noble", "ocean", "opal", "pale", "plain", "quick", "quiet", "rapid", "ruby", "salt",
	"sandy", "sharp", "silent", "silver", "smooth", "snowy", "solar", "steady", "sunny", "swift", "tidal",
	"tidy", "vivid", "warm", "young",
};
static const char animals[][8] = {
	"badger", "bear", "beaver", "bison", "crab", "crane", "crow", "deer", "dove", "eagle", "falcon",
	"finch", "fox", "gecko", "goose", "hare", "hawk", "heron", "ibex", "koala", "lark", "lemur", "lion",
	"lynx", "marten", "mole", "moose", "newt", "orca", "otter", "owl", "panda", "pony", "puma", "quail",
	"rabbit", "raven", "robin", "salmon", "seal", "shrew", "stork", "swan", "tapir", "tiger", "toad",
	"trout", "wren",
};

static bool is_taken(const struct process_host *h, const char *id)
{
	for (size_t i = 0; i < h->all.len; i++)
		if (str_eq(h->all.at[i]->id, id))
			return true;
	return false;
}

/* Far more names than processes that are kept, so that this ends soon. */
void process_name(const struct process_host *h, char ret_id[PROCESS_ID_MAX])
{
	do
		snprintf(ret_id, PROCESS_ID_MAX, "%s-%s-%u", colours[rand_below(CH_ARRAY_LEN(colours))],
			 animals[rand_below(CH_ARRAY_LEN(animals))], (unsigned)rand_below(DIGITS));
	while (is_taken(h, ret_id));
}
