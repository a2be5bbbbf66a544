/* Telling a waiting script that a program is ready: a line on a descriptor, or in a file. */
#ifndef HUB_READY_H
#define HUB_READY_H

#include <stddef.h>

/* Writes the line to fd and closes it, where fd >= 0; and makes it the content of the file, at once
 * as a whole, where path is not NULL. Returns 0 or -errno. */
int ready_tell(int fd, const char *path, const char *line, size_t len);

#endif
