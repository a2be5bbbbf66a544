/* The Unix-socket door: newline-delimited JSON, one message a line each way. */
#ifndef HUBD_UNIX_H
#define HUBD_UNIX_H

#include <stdint.h>

struct worker;

/* Takes over a connection that was just accepted, as number born; closes it where that fails. */
void unix_adopt(struct worker *w, int fd, uint32_t born);

#endif
