/* Two results side by side: what differs in their conditions, what in their figures. */
#ifndef HUBBENCH_COMPARE_H
#define HUBBENCH_COMPARE_H

#include <stddef.h>
#include <stdio.h>

#include "result.h"

/* Writes the stored result in file beside the one of now. Returns 0, or -errno with the reason in
 * why: -EINVAL where the file holds no result, another where it cannot be read. */
int compare(FILE *out, const char *file, const struct result *now, char *why, size_t cap);

/* The same for two stored results. */
int compare_files(FILE *out, const char *before, const char *after, char *why, size_t cap);

#endif
