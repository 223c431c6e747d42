/*
 * core/mem.c - the only callers of the system's allocator, arenas, stacks and
 * libraries aside.
 */
#include "core/mem.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"

static void *or_die(void *p)
{
	if (!p)
		ch_bug(__FILE__, __LINE__, "out of memory");
	return p;
}

void *ch_alloc(size_t size)
{
	return or_die(calloc(1, size ? size : 1));
}

void *ch_calloc(size_t n, size_t size)
{
	return or_die(n && size ? calloc(n, size) : calloc(1, 1));
}

void *ch_realloc(void *p, size_t size)
{
	return or_die(realloc(p, size ? size : 1));
}

void *ch_try_alloc(size_t size)
{
	return calloc(1, size ? size : 1);
}

void *ch_try_realloc(void *p, size_t size)
{
	return realloc(p, size ? size : 1);
}

char *ch_strdup(const char *s)
{
	return s ? ch_strndup(s, strlen(s)) : NULL;
}

char *ch_strndup(const char *s, size_t n)
{
	char *copy;

	if (!s)
		return NULL;
	n = strnlen(s, n);
	copy = ch_alloc(n + 1);
	memcpy(copy, s, n);
	return copy;
}

char *ch_asprintf(const char *fmt, ...)
{
	va_list ap;
	char *text;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	return or_die(n < 0 ? NULL : text);
}

void ch_free(void *p)
{
	free(p);
}

void ch_free_wipe(void *p, size_t size)
{
	if (p)
		explicit_bzero(p, size);
	free(p);
}

void mem_trim(void)
{
	malloc_trim(0);
}
