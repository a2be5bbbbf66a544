/* The options of hubd(8), from which --help, the configuration file and their checks come. */
#include "options.h"

#include <limits.h>
#include <sched.h>
#include <stddef.h>
#include <sys/resource.h>

#include "base/err.h"
#include "loop/worker.h"

#define KIB 1024.0
#define MIB (1024.0 * KIB)
#define GIB (1024.0 * MIB)
#define SPARE_FDS 64 /* descriptors that are not connections */

static const char *const slow_choices[] = {"disconnect", "resync", NULL};
static const char *const sync_choices[] = {"full", "normal", "off", NULL};
static const char *const log_choices[] = {"error", "warn", "info", "debug", NULL};

#define AT(field) offsetof(struct hub_options, field)

static const struct opt options[] = {
    {'c', "config", "FILE", OPT_CONFIG, AT(config), 0, 0, NULL,
     "read options from FILE (name = value)"},
    {'l', "listen", "HOST:PORT", OPT_LIST, AT(listen), 0, 0, NULL,
     "serve WebSocket there; may be repeated; none: nowhere (127.0.0.1:4820)"},
    {'s', "socket", "PATH", OPT_STRING, AT(socket), 0, 0, NULL,
     "the Unix socket; none: no socket ($XDG_RUNTIME_DIR/hub.sock)"},
    {'w', "workers", "N", OPT_INT, AT(workers), 1, WORKERS_MAX, NULL,
     "threads (the number of CPUs)"},
    {0, "tls-cert", "FILE", OPT_STRING, AT(tls_cert), 0, 0, NULL,
     "serve wss:// with this certificate chain (PEM)"},
    {0, "tls-key", "FILE", OPT_STRING, AT(tls_key), 0, 0, NULL, "its private key (PEM)"},
    {0, "max-message", "BYTES", OPT_SIZE, AT(max_message), 128, 64 * MIB, NULL,
     "largest message taken (64k)"},
    {0, "max-header", "BYTES", OPT_SIZE, AT(max_header), 1024, 60 * KIB, NULL,
     "largest head of an HTTP request taken (16k)"},
    {0, "max-connections", "N", OPT_INT, AT(max_connections), 1, 10000000, NULL,
     "connections at a time (what the descriptor limit allows)"},
    {0, "max-sessions", "N", OPT_INT, AT(max_sessions), 1, 100000000, NULL,
     "sessions at a time (100000)"},
    {0, "max-members", "N", OPT_INT, AT(max_members), 1, 10000000, NULL,
     "members of one session (100000)"},
    {0, "history", "N", OPT_INT, AT(history), 1, 1000000000, NULL,
     "records a session keeps at least (256)"},
    {0, "history-bytes", "BYTES", OPT_SIZE, AT(history_bytes), 0, 1024 * GIB, NULL,
     "bytes a session keeps, where that is more (1M)"},
    {0, "history-memory", "BYTES", OPT_SIZE, AT(history_memory), MIB, 1024 * GIB, NULL,
     "bytes that all sessions keep together (256M)"},
    {0, "session-ttl", "SECONDS", OPT_SECONDS, AT(session_ttl), 0, 1e9, NULL,
     "how long a session without members is kept (1h)"},
    {0, "store", "FILE", OPT_STRING, AT(store), 0, 0, NULL,
     "keep sessions in this SQLite database (nothing outlives hubd)"},
    {0, "sync", "HOW", OPT_CHOICE, AT(sync), 0, 0, sync_choices,
     "full, normal or off: what a power cut may take of the store (full)"},
    {0, "keep-records", "N", OPT_INT, AT(keep_records), 0, 1e15, NULL,
     "records of a session kept in the store; 0: all (0)"},
    {0, "keep-days", "N", OPT_INT, AT(keep_days), 0, 1e6, NULL,
     "days for which records are kept in the store; 0: for ever (0)"},
    {0, "slow", "POLICY", OPT_CHOICE, AT(slow), 0, 0, slow_choices,
     "what happens to a member that the history has overtaken (disconnect)"},
    {0, "slow-after", "SECONDS", OPT_SECONDS, AT(slow_after), 0, 3600, NULL,
     "how long a lagging member may rely on more than the history (2)"},
    {0, "keys", "FILE", OPT_STRING, AT(keys), 0, 0, NULL,
     "which messages are state: lines of type-glob, path, [delete] (built in)"},
    {0, "state-keys", "N", OPT_INT, AT(state_keys), 0, 100000000, NULL,
     "state records of one session (10000)"},
    {0, "presence-limit", "N", OPT_INT, AT(presence_limit), 0, 1000000, NULL,
     "members up to which each coming and going is told (100)"},
    {0, "ping", "SECONDS", OPT_SECONDS, AT(ping), 0, 86400, NULL,
     "silence after which a WebSocket client is pinged; 0: never (54)"},
    {0, "pong", "SECONDS", OPT_SECONDS, AT(pong), 1, 86400, NULL,
     "silence after which it is given up (60)"},
    {0, "header-timeout", "SECONDS", OPT_SECONDS, AT(header_timeout), 1, 3600, NULL,
     "time for the head of an HTTP request to come (10)"},
    {0, "write-timeout", "SECONDS", OPT_SECONDS, AT(write_timeout), 1, 3600, NULL,
     "time for a client to take what was sent (10)"},
    {0, "drain", "SECONDS", OPT_SECONDS, AT(drain), 0, 3600, NULL,
     "time over which clients are sent away at the end (2)"},
    {0, "client-version", "STRING", OPT_STRING, AT(client_version), 0, 0, NULL,
     "what version_check compares with (none: every client matches)"},
    {0, "ready-fd", "N", OPT_INT, AT(ready_fd), 1, INT_MAX, NULL,
     "write one line there when ready, then close it"},
    {0, "log-level", "LEVEL", OPT_CHOICE, AT(log_level), 0, 0, log_choices,
     "error, warn, info or debug (info)"},
    {0, NULL, NULL, OPT_TRUE, 0, 0, 0, NULL, NULL},
};

static const struct opt_program program = {
    .name = "hubd",
    .synopsis = "[-c FILE] [-l HOST:PORT]... [-s PATH] [OPTION]...",
    .summary = "Routes messages between the members of a session.",
    .opts = options,
};

static int64_t cpu_count(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1;
	return CPU_COUNT(&set) > WORKERS_MAX ? WORKERS_MAX : CPU_COUNT(&set);
}

/* Takes as many descriptors as we may have. Returns how many that is. */
static int64_t raise_nofile(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) < 0)
		return 1024;
	lim.rlim_cur = lim.rlim_max;
	setrlimit(RLIMIT_NOFILE, &lim);
	getrlimit(RLIMIT_NOFILE, &lim);
	return lim.rlim_cur > 10000000 ? 10000000 : (int64_t)lim.rlim_cur;
}

void options_read(struct hub_options *opt, int argc, char **argv)
{
	int64_t nofile = raise_nofile();

	*opt = (struct hub_options){
	    .workers = cpu_count(),
	    .max_message = 64 * 1024,
	    .max_header = 16 * 1024,
	    .header_timeout = 10,
	    .max_connections = nofile - SPARE_FDS,
	    .max_sessions = 100000,
	    .max_members = 100000,
	    .history = 256,
	    .history_bytes = 1 << 20,
	    .history_memory = 256 << 20,
	    .session_ttl = 3600,
	    .slow_after = 2,
	    .presence_limit = 100,
	    .state_keys = 10000,
	    .ping = 54,
	    .pong = 60,
	    .write_timeout = 10,
	    .drain = 2,
	    .log_level = ERR_INFO,
	};
	if (opt_parse(&program, argc, argv, opt) != argc)
		err_die(EX_USAGE, "there are no operands: '%s'", argv[argc - 1]);
	err_init("hubd", (enum err_level)opt->log_level);
	if (opt->ping > 0 && opt->pong <= opt->ping)
		err_die(EX_USAGE, "pong (%g s) must be longer than ping (%g s)", opt->pong,
			opt->ping);
	if (!opt->tls_cert != !opt->tls_key)
		err_die(EX_USAGE, "tls-cert and tls-key need each other");
	if (nofile <= SPARE_FDS)
		err_die(EX_CONFIG, "only %jd descriptors are allowed; raise the limit (ulimit -n)",
			(intmax_t)nofile);
	if (opt->max_connections > nofile - SPARE_FDS) {
		err_log(ERR_WARN,
			"max-connections: only %jd descriptors are allowed; raise the limit "
			"(ulimit -n)",
			(intmax_t)nofile);
		opt->max_connections = nofile - SPARE_FDS;
	}
}
