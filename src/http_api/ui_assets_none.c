/*
 * http_api/ui_assets_none.c - stands in for the page in builds without it.
 */
#include "http_api/ui_assets.h"

const struct http_asset ui_assets[] = { {0} };
const size_t ui_assets_count = 0;
