/* What /metrics says of the process, with the names that Prometheus' own clients have for it. */
#ifndef HUBD_PROCESS_H
#define HUBD_PROCESS_H

#include <stdint.h>

#include "wire/prometheus.h"

/* Appends it. open_fds is told where the kernel does not know better (before Linux 6.2);
 * started_ms is the wall-clock time. */
void process_metrics(struct prometheus *p, uint64_t open_fds, uint64_t started_ms);

#endif
