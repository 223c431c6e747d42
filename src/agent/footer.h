/*
 * agent/footer.h - the line under a reply that says what it took (private).
 */
#ifndef CH_AGENT_FOOTER_H
#define CH_AGENT_FOOTER_H

#include "agent/run.h"

/* NULL: the session wants none. On the run's arena. */
const char *footer_of(struct run *r);
/* "950", "1.3k", "12k", "1.2M" */
const char *footer_count(struct arena *a, int64_t n);

#endif
