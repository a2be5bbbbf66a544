/* The WebSocket door (RFC 6455) and the little HTTP beside it, on libwebsockets: one context
 * per worker, connections at /ws, GET /healthz. */
#ifndef HUBD_WS_H
#define HUBD_WS_H

#include <stdbool.h>
#include <stdint.h>

struct worker;
struct ws;

/* Creates the worker's context on its loop. Not for two threads at the same time. Logs what is
 * wrong; returns NULL, or what is not usable and must be stopped and freed like any other. */
struct ws *ws_new(struct worker *w);
bool ws_usable(const struct ws *ws);

/* Closes what is left; then the loop must run until nothing is left in it before ws_free(). */
void ws_stop(struct ws *ws);
void ws_free(struct ws *ws); /* NULL is fine */

/* Takes over a TCP connection that was just accepted, as number born; closes it where that fails.
 */
void ws_adopt(struct ws *ws, int fd, uint32_t born);

/* Once a second: lets libwebsockets look at its timeouts, which it otherwise does only after input.
 */
void ws_tick(struct ws *ws);

/* Reads on from connections that had more than libwebsockets takes at a time. Once per loop turn.
 */
void ws_read_more(struct ws *ws);

#endif
