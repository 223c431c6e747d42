/*
 * gateway/methods/m_channels.c - messaging channels: this version has none.
 */
#include "gateway/methods/absent.h"

#define NO_CHANNELS "this version has no messaging channels"
#define NO_WEB_LOGIN "no provider of this version logs in by QR code"
#define PAIRING_PER_ACCOUNT 3
#define PAIRING_TTL_MS 3600000

static ch_status run_channels_status(struct gw_call *call, struct ch_err *err)
{
	if (json_get(call->params, "channel"))
		return ch_fail(err, CH_E_NOT_FOUND, "unknown channel: %s", gwm_short_param(call, "channel"));
	return gwm_run_stamped(call, err);
}

static ch_status run_pairing_list(struct gw_call *call, struct ch_err *err)
{
	struct jw *w;

	if (json_get(call->params, "channel"))
		return ch_fail(err, CH_E_NOT_FOUND, "unknown pairing channel: %s", gwm_short_param(call, "channel"));
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_karr(w, "accounts");
	jw_end(w);
	jw_karr(w, "requests");
	jw_end(w);
	jw_kbool(w, "commandOwnerConfigured", false);
	jw_kobj(w, "limits");
	jw_kint(w, "pendingPerAccount", PAIRING_PER_ACCOUNT);
	jw_kint(w, "ttlMs", PAIRING_TTL_MS);
	jw_end(w);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static const struct gw_param channel_params[] = {
	{ "probe", GP_BOOL },
	{ "timeoutMs", GP_INT, .max = INT64_MAX },
	{ "channel", GP_STR, GP_NON_EMPTY },
	{0},
};
static const struct gw_param pairing_params[] = {
	{ "channel", GP_STR, GP_NON_EMPTY },
	{ "accountId", GP_STR, GP_NON_EMPTY },
	{0},
};

#define NO_CHANNEL_STATUS                                                                                  \
	"{\"channelOrder\":[],\"channelLabels\":{},\"channelDetailLabels\":{},\"channelSystemImages\":{}," \
	"\"channelMeta\":[],\"channels\":{},\"channelAccounts\":{},\"channelDefaultAccountId\":{},"        \
	"\"statusIssues\":[]}"

const struct gw_method gwm_channels[] = {
	GWM_REFUSE("channels.logout", ADMIN, NO_CHANNELS),
	GWM_REFUSE("channels.pairing.approve", PAIRING, NO_CHANNELS),
	GWM_REFUSE("channels.pairing.dismiss", PAIRING, NO_CHANNELS),
	GWM_ROW("channels.pairing.list", run_pairing_list, PAIRING, pairing_params, NULL),
	GWM_REFUSE("channels.start", ADMIN, NO_CHANNELS),
	GWM_ROW("channels.status", run_channels_status, READ, channel_params, NO_CHANNEL_STATUS),
	GWM_REFUSE("channels.stop", ADMIN, NO_CHANNELS),
	GWM_REFUSE("message.action", WRITE, NO_CHANNELS),
	GWM_REFUSE("poll", WRITE, NO_CHANNELS),
	GWM_REFUSE("send", WRITE, NO_CHANNELS),
	GWM_REFUSE("web.login.start", ADMIN, NO_WEB_LOGIN),
	GWM_REFUSE("web.login.wait", ADMIN, NO_WEB_LOGIN),
};
const size_t gwm_channels_count = CH_ARRAY_LEN(gwm_channels);
