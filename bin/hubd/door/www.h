/* Folders of files that are served beside the doors. */
#ifndef HUBD_WWW_H
#define HUBD_WWW_H

#include <stddef.h>

#include "base/opt.h"

struct http;

struct www {
	int fd[OPT_LIST_MAX]; /* of the folders; the first one that has a file counts */
	size_t n;
};

/* One more of them. Returns 0 or -errno. */
int www_add(struct www *www, const char *folder);
void www_free(struct www *www);

/* Answers a GET or HEAD with what its path names. h may be no more. */
void www_serve(struct http *h);

#endif
