/*
 * core/banned.h - included first in every .c file by the build (-include).
 * Naming one of these does not compile. Where one is right after all
 * (inside core/ only), #undef it there and say why.
 */
#ifndef CH_CORE_BANNED_H
#define CH_CORE_BANNED_H
#ifndef CH_ALLOW_BANNED

/* The headers that declare them come first, so that only our uses are caught. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* clang with _FORTIFY_SOURCE has these as macros, and a macro cannot be poisoned. */
#undef sprintf
#undef vsprintf

#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf strtok atoi atol atof gets
#pragma GCC poison gmtime localtime ctime asctime system popen tmpnam mktemp

#endif
#endif
