/* The doors for those who read over HTTP, hub(7). */
#ifndef HUBD_HTTP_READ_H
#define HUBD_HTTP_READ_H

#include "door/http_request.h"

enum http_reading {
	READ_EVENTS,   /* server-sent events, for ever */
	READ_RECORDS,  /* those after a place, perhaps when there are some */
	READ_STATE,    /* all of it */
	READ_KEY,      /* that of one key */
	READ_PRESENCE, /* who is there */
	READ_SESSIONS, /* which there are */
};

/* Serves the request that h->head has. Borrows session and key. h may be no more. */
void http_read(struct http *h, enum http_reading what, struct span session, struct span key);

#endif
