/* Time: wall-clock milliseconds for messages, monotonic time for everything that waits. */
#ifndef HUB_CLOCK_H
#define HUB_CLOCK_H

#include <stdint.h>

/* Milliseconds since the Unix epoch (CLOCK_REALTIME). */
uint64_t clock_wall_ms(void);

/* Milliseconds and nanoseconds since an arbitrary start; never goes back (CLOCK_MONOTONIC). */
uint64_t clock_mono_ms(void);
uint64_t clock_mono_ns(void);

#endif
