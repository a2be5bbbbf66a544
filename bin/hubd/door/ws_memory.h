/* Memory for libwebsockets. It sets aside a receive buffer for each connection, but writes to it
 * only what has to be kept between two reads: control frames that carry data. All else it hands on
 * from its thread's buffer. So these buffers come from memory that is not there before it is
 * touched: an idle connection costs none of it, however much a busy one may read at a time. */
#ifndef HUBD_WS_MEMORY_H
#define HUBD_WS_MEMORY_H

#include <stddef.h>

#define WS_MEMORY_SLOT 1024 /* bytes of a receive buffer, all that libwebsockets adds included */

/* Sets n buffers aside; where that fails, or more are wanted, they are like other memory. Once,
 * before there are threads. */
void ws_memory_start(size_t n);

/* For lws_set_allocator(). Any thread. */
void *ws_memory_realloc(void *p, size_t size, const char *reason);

#endif
