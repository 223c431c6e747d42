/*
 * exec/bind_work.h - binding off the loop thread: executables that are not the system's are read and hashed whole, which
 * takes a while (EXEC_COPY_MAX bytes each).
 *
 * Owns   *ret as exec/bind.h says. What is passed in is only read, and must stay as it is until the call returns.
 * Runs   on a fiber, which waits for the thread also when it is cancelled.
 * Fails  as the functions of exec/bind.h; CH_E_CANCELED.
 */
#ifndef CH_EXEC_BIND_WORK_H
#define CH_EXEC_BIND_WORK_H

#include "exec/bind.h"

CH_FIBER CH_MUST_USE ch_status exec_bind_wait(const struct exec_want *want, struct exec_bound **ret, struct ch_err *err);
CH_FIBER CH_MUST_USE ch_status exec_bind_reopen_wait(const struct json *binding, struct exec_bound **ret, struct ch_err *err);
CH_FIBER CH_MUST_USE ch_status exec_bound_check_wait(struct exec_bound *b, struct ch_err *err);

#endif
