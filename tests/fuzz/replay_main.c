/*
 * replay_main.c - runs a fuzz target over its corpus without libFuzzer, so
 * that every build checks what fuzzing once found. Speaks TAP: one test for
 * each file of the directory that is named on the command line.
 */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/err.h"
#include "core/mem.h"

#define INPUT_MAX (16l << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An exact-size heap copy, so that a sanitizer sees the first byte read too far. */
static bool replay(const char *path)
{
	FILE *f = fopen(path, "rbe");
	struct stat st;
	uint8_t *data;
	size_t size;

	if (!f)
		return false;
	if (fstat(fileno(f), &st) || st.st_size > INPUT_MAX) {
		fclose(f);
		return false;
	}
	size = (size_t)st.st_size;
	data = ch_alloc(size ? size : 1);
	if (fread(data, 1, size, f) != size) {
		ch_free(data);
		fclose(f);
		return false;
	}
	fclose(f);
	LLVMFuzzerTestOneInput(data, size);
	ch_free(data);
	return true;
}

int main(int argc, char **argv)
{
	struct dirent **files;
	int n = argc == 2 ? scandir(argv[1], &files, NULL, alphasort) : -1, failed = 0, count = 0;

	if (n < 0) {
		fprintf(stderr, "usage: %s <corpus directory>\n", argv[0]);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 0; i < n; i++) {
		CH_AUTO_STR char *path = ch_asprintf("%s/%s", argv[1], files[i]->d_name);

		if (files[i]->d_name[0] != '.') {
			bool ok = replay(path);

			failed += !ok;
			printf("%s %d - %s\n", ok ? "ok" : "not ok", ++count, files[i]->d_name);
		}
		free(files[i]);
	}
	free(files);
	printf("1..%d\n", count);
	return failed || count == 0;
}
