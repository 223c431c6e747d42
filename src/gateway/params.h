/*
 * gateway/params.h - parameter schemas of methods: a closed object as a table.
 *
 * Errors have the reference's form: "invalid <method> params: at <path>: <what>", e.g.
 * "must have required property 'key'", "at /client: must have required property 'id'",
 * "at root: unexpected property 'foo'", "at /limit: must be integer",
 * "at /mode: must be equal to one of the allowed values". The first one found is told.
 */
#ifndef CH_GATEWAY_PARAMS_H
#define CH_GATEWAY_PARAMS_H

#include "core/err.h"
#include "core/json.h"

enum gw_param_type {
	GP_STR = 1,
	GP_INT,
	GP_NUM,
	GP_BOOL,
	GP_ENUM,
	GP_ARR,
	GP_OBJ,
	GP_ANY,
	GP_STR_OR_NULL,
	GP_INT_OR_NULL,
	GP_BOOL_OR_NULL,
	GP_TRUE,                 /* only true */
	GP_BOOL_OR_ENUM,         /* a boolean or one of the choices */
	GP_STR_OR_ARR            /* a string, or an array as for GP_ARR; the choices are for both */
};
enum gw_param_flags {
	GP_REQUIRED = 1,
	GP_NON_EMPTY = 2,
	GP_OPEN = 4,             /* GP_OBJ: further members allowed */
	GP_NULLABLE = 8,         /* any type: null is allowed too */
	GP_UNIQUE = 16           /* GP_ARR of strings: no string twice */
};

struct gw_param {
	const char *name;
	enum gw_param_type type;
	unsigned flags;
	int64_t min, max;                /* INT, NUM: value; STR, ARR: length; checked when max > min */
	const char *const *choices;      /* ENUM (and strings in ARR): NULL-ended */
	const struct gw_param *members;  /* OBJ; ARR of OBJ: of each item */
	enum gw_param_type item;         /* ARR: item type, 0: any; OBJ without members: type of each value */
};

/* params NULL or JSON null counts as {}; schema NULL: no member is known. */
CH_MUST_USE ch_status gw_params_check(const char *what, const struct gw_param *schema,
				      const struct json *params, struct ch_err *err);
/*
 * As above with the message's first words ("invalid request frame") and whether unknown members are let
 * through.
 */
CH_MUST_USE ch_status gw_params_check_as(const char *title, const struct gw_param *schema, bool is_open,
					 const struct json *params, struct ch_err *err);

#endif
