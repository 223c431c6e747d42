/*
 * http_api/anthropic.h - what the files of Anthropic's API share (private to anthropic_*.c).
 */
#ifndef CH_HTTP_API_ANTHROPIC_H
#define CH_HTTP_API_ANTHROPIC_H

#include "http_api/api.h"

extern const struct api_writer anthropic_writer;

#endif
