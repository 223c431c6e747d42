/*
 * oracle_wslay.h - what libwslay's server makes of the same bytes.
 */
#ifndef CH_TESTS_ORACLE_WSLAY_H
#define CH_TESTS_ORACLE_WSLAY_H

#include "core/buf.h"

/*
 * Appends one line per event to out ("<opcode> <code> <length>:<bytes>\n").
 * The result is the close code that wslay wants to fail the connection with, 0 when it is content.
 */
uint16_t oracle_wslay(const uint8_t *data, size_t size, size_t message_max, struct buf *out);

#endif
