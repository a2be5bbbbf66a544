/* What hubd has to do with who started it: systemd, where it did (sd_notify(3), sd_listen_fds(3),
 * sd_watchdog_enabled(3): all of it environment variables and a datagram socket), or a shell with
 * `--ready-fd`. */
#ifndef HUBD_SERVICE_H
#define HUBD_SERVICE_H

#include <stdint.h>
#include <sys/types.h>

/* How many sockets were handed to this process, from descriptor 3 on; they are closed on exec from
 * then on, and the variables gone. To be called once, before threads start. */
#define SERVICE_FIRST_FD 3
int service_sockets(void);

/* Tells the service manager, in its words: "READY=1", "STATUS=...", one a line. Nothing happens
 * where there is none. For one thread. */
void service_notify(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The milliseconds within which the manager wants to hear WATCHDOG=1; 0: it does not. */
uint64_t service_watchdog_ms(void);

/* Becomes the user called name, with its groups, for good, and gains no privileges any more by
 * what it might start. own() is called before, while files may still be given away. Returns 0, or
 * an exit status after logging why. */
int service_become(const char *name, void (*own)(void *arg, uid_t uid, gid_t gid), void *arg);

#endif
