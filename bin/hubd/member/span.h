/* Bytes of many records at a time, for one connection or for all that want the same. */
#ifndef HUBD_SPAN_H
#define HUBD_SPAN_H

#include <stdbool.h>
#include <stdint.h>

#include "conn/conn.h"
#include "log/log.h"

/* Writes the records from *cursor on, up to the end of the chunk they are in and the head of the
 * view, without those of sender `skip` (0: all of them), and moves *cursor behind them. Adds what
 * it wrote to *bytes. True where more may be written. */
bool span_write(struct conn *c, struct log_view *view, uint64_t *cursor, uint64_t skip,
		size_t *bytes);

#endif
