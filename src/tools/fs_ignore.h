/*
 * tools/fs_ignore.h - what a .gitignore says, as git reads it.
 *
 * The last rule that fits decides; "!" takes a rule back, "/" at the end means directories only, one before means
 * names from where the file stands.
 */
#ifndef CH_TOOLS_FS_IGNORE_H
#define CH_TOOLS_FS_IGNORE_H

#include "core/arena.h"

#define IGNORE_FILE_MAX (128u << 10)     /* bytes of one file that are read */
#define IGNORE_RULES_MAX 2000
#define IGNORE_MEMORY_MAX (2u << 20)     /* of the rules of one file; those after it are not heeded */

struct ignore;
/* Rules that cannot be read are left out. Lives on the arena; NULL when there are no rules. */
const struct ignore *ignore_parse(struct arena *a, const char *text, size_t len);

enum ignore_verdict { IGNORE_UNSAID, IGNORE_YES, IGNORE_NO };
/* path: relative to where the file stands. */
enum ignore_verdict ignore_judge(const struct ignore *ig, const char *path, bool is_dir);

#endif
