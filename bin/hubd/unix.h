/* The Unix-socket transport: newline-delimited JSON, one message a line each way. */
#ifndef HUBD_UNIX_H
#define HUBD_UNIX_H

struct worker;

/* Takes over a connection that was just accepted; closes it where that fails. */
void unix_adopt(struct worker *w, int fd);

#endif
