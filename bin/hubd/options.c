/* The options of hubd(8), from which --help, the configuration file and their checks come. */
#include "options.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/err.h"
#include "json/envelope.h"
#include "loop/worker.h"
#include "options_check.h"

#define KIB 1024.0
#define MIB (1024.0 * KIB)
#define GIB (1024.0 * MIB)
#define SPARE_FDS 64 /* descriptors that are not connections */

static const char *const slow_choices[] = {"disconnect", "resync", NULL};
static const char *const sync_choices[] = {"full", "normal", "off", NULL};
static const char *const format_choices[] = {"text", "json", NULL};
static const char *const forwarded_choices[] = {"x-forwarded-for", "forwarded", NULL};
static const char *const log_choices[] = {"error", "warn", "info", "debug", NULL};

#define AT(field) offsetof(struct hub_options, field)

static const struct opt options[] = {
    {'c', "config", "FILE", OPT_CONFIG, AT(config), 0, 0, NULL,
     "read options from FILE (name = value)"},
    {'l', "listen", "HOST:PORT", OPT_LIST, AT(listen), 0, 0, NULL,
     "serve WebSocket there; may be repeated; none: nowhere (127.0.0.1:4820)"},
    {0, "listen-proxy", "HOST:PORT", OPT_LIST, AT(listen_proxy), 0, 0, NULL,
     "the same behind the PROXY protocol of trusted proxies (none)"},
    {0, "trust-proxy", "NETWORK", OPT_LIST, AT(trust_proxy), 0, 0, NULL,
     "believe proxies there whose client it is: ADDRESS[/BITS],...; may be repeated (none)"},
    {0, "proxy-header", "FIELD", OPT_CHOICE, AT(proxy_header), 0, 0, forwarded_choices,
     "where they say it: x-forwarded-for or forwarded (x-forwarded-for)"},
    {'s', "socket", "PATH", OPT_STRING, AT(socket), 0, 0, NULL,
     "the Unix socket; none: no socket ($XDG_RUNTIME_DIR/hub.sock)"},
    {'w', "workers", "N", OPT_INT, AT(workers), 1, WORKERS_MAX, NULL,
     "threads (the number of CPUs)"},
    {0, "tls-cert", "FILE", OPT_STRING, AT(tls_cert), 0, 0, NULL,
     "serve wss:// with this certificate chain (PEM)"},
    {0, "tls-key", "FILE", OPT_STRING, AT(tls_key), 0, 0, NULL, "its private key (PEM)"},
    {0, "host", "GLOB", OPT_LIST, AT(host), 0, 0, NULL,
     "hosts that requests may ask for; may be repeated (any; on the loopback, its own)"},
    {0, "origin", "GLOB", OPT_LIST, AT(origin), 0, 0, NULL,
     "origins whose pages may make requests; may be repeated (any)"},
    {0, "cors", "ORIGIN", OPT_LIST, AT(cors), 0, 0, NULL,
     "pages of ORIGIN (or *) may use the HTTP doors; may be repeated (none may)"},
    {0, "www", "DIR", OPT_LIST, AT(www), 0, 0, NULL,
     "serve the files in DIR beside all that; may be repeated (none)"},
    {0, "socketio-path", "PATH", OPT_STRING, AT(socketio_path), 0, 0, NULL,
     "serve Socket.IO clients there; none: nowhere (/socket.io/)"},
    {0, "socketio-connect", "SECONDS", OPT_SECONDS, AT(socketio_connect), 0.1, 3600, NULL,
     "time for them to connect to a namespace (45)"},
    {0, "socketio-echo", NULL, OPT_TRUE, AT(socketio_echo), 0, 0, NULL,
     "send back to them what they send, for tests of Engine.IO"},
    {0, "auth-key", "FILE", OPT_LIST, AT(auth_key), 0, 0, NULL,
     "take only clients with a token that a key in FILE made; may be repeated (all)"},
    {0, "auth-audience", "NAME", OPT_LIST, AT(auth_audience), 0, 0, NULL,
     "what aud of a token must name; may be repeated (there must be none)"},
    {0, "auth-issuer", "NAME", OPT_LIST, AT(auth_issuer), 0, 0, NULL,
     "what iss of a token must be; may be repeated (anything)"},
    {0, "auth-info", "CLAIM", OPT_STRING, AT(auth_info), 0, 0, NULL,
     "what of a token presence shows beside sub (nothing)"},
    {0, "allow-query-token", NULL, OPT_TRUE, AT(allow_query_token), 0, 0, NULL,
     "take tokens in ?token= as well, where logs may keep them"},
    {0, "resume-ttl", "SECONDS", OPT_SECONDS, AT(resume_ttl), 0, 1e9, NULL,
     "how long a resume token is good; 0: for ever (30d)"},
    {0, "insecure", NULL, OPT_TRUE, AT(insecure), 0, 0, NULL, "listen anywhere without keys"},
    {0, "max-message", "BYTES", OPT_SIZE, AT(max_message), 128, ENVELOPE_MESSAGE_MAX, NULL,
     "largest message taken (64k)"},
    {0, "deflate", NULL, OPT_TRUE, AT(deflate), 0, 0, NULL,
     "agree to permessage-deflate with WebSocket clients that offer it"},
    {0, "deflate-min", "BYTES", OPT_SIZE, AT(deflate_min), 1, ENVELOPE_MESSAGE_MAX, NULL,
     "deflate only what has so many bytes (256)"},
    {0, "max-header", "BYTES", OPT_SIZE, AT(max_header), 1024, 60 * KIB, NULL,
     "largest head of an HTTP request taken (16k)"},
    {0, "rate-messages", "N", OPT_INT, AT(rate_messages), 0, 1000000000, NULL,
     "messages a second that are taken from a client over TCP; 0: all (0)"},
    {0, "rate-bytes", "BYTES", OPT_SIZE, AT(rate_bytes), 0, 1024 * GIB, NULL,
     "bytes of messages a second that are taken from it; 0: all (0)"},
    {0, "rate-user-messages", "N", OPT_INT, AT(rate_user_messages), 0, 1000000000, NULL,
     "messages a second of a user over all of his connections; 0: all (0)"},
    {0, "rate-user-bytes", "BYTES", OPT_SIZE, AT(rate_user_bytes), 0, 1024 * GIB, NULL,
     "bytes of messages a second of a user; 0: all (0)"},
    {0, "rate-address-messages", "N", OPT_INT, AT(rate_address_messages), 0, 1000000000, NULL,
     "messages a second of an address over all of its connections; 0: all (0)"},
    {0, "rate-address-bytes", "BYTES", OPT_SIZE, AT(rate_address_bytes), 0, 1024 * GIB, NULL,
     "bytes of messages a second of an address; 0: all (0)"},
    {0, "rate-requests", "N", OPT_INT, AT(rate_requests), 0, 1000000, NULL,
     "HTTP requests a second of an address, handshakes among them; 0: all (0)"},
    {0, "rate-joins", "N", OPT_INT, AT(rate_joins), 0, 1000000, NULL,
     "joins a second of an address; 0: all (0)"},
    {0, "max-connections", "N", OPT_INT, AT(max_connections), 1, 10000000, NULL,
     "connections at a time (what the descriptor limit allows)"},
    {0, "max-per-address", "N", OPT_INT, AT(max_per_address), 0, 10000000, NULL,
     "connections of an address at a time; 0: all (0)"},
    {0, "max-per-user", "N", OPT_INT, AT(max_per_user), 0, 10000000, NULL,
     "connections of a user at a time; 0: all (0)"},
    {0, "connection-memory", "BYTES", OPT_SIZE, AT(connection_memory), 0, 1024 * GIB, NULL,
     "bytes of messages that all connections hold; 0: no end (1G)"},
    {0, "max-polling", "N", OPT_INT, AT(max_polling), 0, 10000000, NULL,
     "Socket.IO clients that poll at a time (as max-connections)"},
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
    {0, "bus", "URL", OPT_LIST, AT(bus), 0, 0, NULL,
     "share sessions with other hubds through Redis; may be repeated (it is alone)"},
    {0, "bus-ca", "FILE", OPT_STRING, AT(bus_ca), 0, 0, NULL,
     "whose certificates are trusted of rediss:// (the system's)"},
    {0, "bus-wait", "N", OPT_INT, AT(bus_wait), 0, 100, NULL,
     "replicas of Redis that have a record before its ack (0)"},
    {0, "bus-node-timeout", "SECONDS", OPT_SECONDS, AT(bus_node_timeout), 1, 3600, NULL,
     "silence after which the members of another hubd are gone (10)"},
    {0, "bus-socketio", "PREFIX", OPT_STRING, AT(bus_socketio), 0, 0, NULL,
     "share events with servers of Socket.IO that use this key in Redis (with none)"},
    {0, "bus-socketio-redis", "URL", OPT_STRING, AT(bus_socketio_redis), 0, 0, NULL,
     "where these have their Redis (redis://127.0.0.1)"},
    {0, "store", "FILE", OPT_STRING, AT(store), 0, 0, NULL,
     "keep sessions in this SQLite database (nothing outlives hubd)"},
    {0, "sync", "HOW", OPT_CHOICE, AT(sync), 0, 0, sync_choices,
     "full, normal or off: what a power cut may take of the store (full)"},
    {0, "keep-records", "N", OPT_INT, AT(keep_records), 0, 1e15, NULL,
     "records of a session kept in the store; 0: all (0)"},
    {0, "keep-days", "N", OPT_INT, AT(keep_days), 0, 1e6, NULL,
     "days for which records are kept in the store; 0: for ever (0)"},
    {0, "store-max", "BYTES", OPT_SIZE, AT(store_max), 0, 100 * 1024 * GIB, NULL,
     "bytes that the store may have; 0: no end (16G)"},
    {0, "slow", "POLICY", OPT_CHOICE, AT(slow), 0, 0, slow_choices,
     "what happens to a member that the history has overtaken (disconnect)"},
    {0, "slow-after", "SECONDS", OPT_SECONDS, AT(slow_after), 0, 3600, NULL,
     "how long a lagging member may rely on more than the history (2)"},
    {0, "keys", "FILE", OPT_STRING, AT(keys), 0, 0, NULL,
     "which messages are state: lines of type-glob, path, [delete] (built in)"},
    {0, "area", "TYPES=PATH,PATH,SIZE", OPT_LIST, AT(area), 0, 0, NULL,
     "where records of these types have a place, in cells of SIZE (repeatable; nowhere)"},
    {0, "rules", "DIR", OPT_STRING, AT(rules), 0, 0, NULL,
     "what messages mean: jq programs DIR/TYPE.jq (what they always mean)"},
    {0, "state-keys", "N", OPT_INT, AT(state_keys), 0, 100000000, NULL,
     "state records of one session (10000)"},
    {0, "client-keys", "N", OPT_INT, AT(client_keys), 0, 100000000, NULL,
     "of them: those of one client over TCP; 0: all (5000)"},
    {0, "state-bytes", "BYTES", OPT_SIZE, AT(state_bytes), 0, 1024 * GIB, NULL,
     "bytes that the state records of a session may take; 0: no end (64M)"},
    {0, "client-bytes", "BYTES", OPT_SIZE, AT(client_bytes), 0, 1024 * GIB, NULL,
     "bytes of them that one client over TCP may have set; 0: no end (16M)"},
    {0, "presence-limit", "N", OPT_INT, AT(presence_limit), 0, 1000000, NULL,
     "members up to which each coming and going is told (100)"},
    {0, "ping", "SECONDS", OPT_SECONDS, AT(ping), 0, 86400, NULL,
     "silence after which a WebSocket client is pinged; 0: never (25)"},
    {0, "pong", "SECONDS", OPT_SECONDS, AT(pong), 0.1, 86400, NULL,
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
    {0, "log-format", "FORMAT", OPT_CHOICE, AT(log_format), 0, 0, format_choices,
     "text or json (text)"},
    {0, "user", "USER", OPT_STRING, AT(user), 0, 0, NULL,
     "be that user once sockets and keys are there (who started it)"},
    {0, "check", NULL, OPT_TRUE, AT(check), 0, 0, NULL,
     "read the configuration and the files it names, say whether it is fine, and exit"},
    {0, "rules-test", "DIR", OPT_STRING, AT(rules_test), 0, 0, NULL,
     "run the cases DIR/*.json of the rules in DIR, and exit (serve)"},
    {0, NULL, NULL, OPT_TRUE, 0, 0, 0, NULL, NULL},
};

/* Those whose change takes effect at SIGHUP. */
static const char *const live[] = {
    "tls-cert",
    "tls-key",
    "max-message",
    "max-header",
    "deflate",
    "deflate-min",
    "keys",
    "area",
    "rules",
    "ping",
    "pong",
    "header-timeout",
    "write-timeout",
    "client-version",
    "log-level",
    "host",
    "origin",
    "cors",
    "www",
    "trust-proxy",
    "proxy-header",
    "rate-messages",
    "rate-bytes",
    "rate-user-messages",
    "rate-user-bytes",
    "rate-address-messages",
    "rate-address-bytes",
    "rate-requests",
    "rate-joins",
    "max-per-address",
    "max-per-user",
    "connection-memory",
    "auth-key",
    "auth-audience",
    "auth-issuer",
    "auth-info",
    "allow-query-token",
    "resume-ttl",
    "socketio-path",
    "socketio-connect",
    "max-polling",
    NULL,
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

static const struct opt_program program = {
    .name = "hubd",
    .synopsis = "[-c FILE] [-l HOST:PORT]... [-s PATH] [OPTION]...",
    .summary = "Routes messages between the members of a session.",
    .opts = options,
    .check = options_check_text,
    .places = AT(places),
};

static void defaults(struct hub_options *opt)
{
	*opt = (struct hub_options){
	    .workers = cpu_count(),
	    .max_message = 64 * 1024,
	    .max_header = 16 * 1024,
	    .deflate_min = 256,
	    .header_timeout = 10,
	    .socketio_path = "/socket.io/",
	    .socketio_connect = 45,
	    .max_connections = raise_nofile() - SPARE_FDS,
	    .max_polling = -1,
	    .max_sessions = 100000,
	    .max_members = 100000,
	    .history = 256,
	    .history_bytes = 1 << 20,
	    .history_memory = 256 << 20,
	    .session_ttl = 3600,
	    .resume_ttl = 30 * 86400,
	    .bus_node_timeout = 10,
	    .bus_socketio_redis = "redis://127.0.0.1",
	    .store_max = (int64_t)16 << 30,
	    .slow_after = 2,
	    .presence_limit = 100,
	    .state_keys = 10000,
	    .client_keys = 5000,
	    .state_bytes = 64 << 20,
	    .client_bytes = 16 << 20,
	    .connection_memory = 1 << 30,
	    .ping = 25,
	    .pong = 60,
	    .write_timeout = 10,
	    .drain = 2,
	    .log_level = ERR_INFO,
	};
}

bool options_place(const struct hub_options *opt, const char *name, char *out, size_t cap)
{
	return opt_place(&program, opt, name, out, cap);
}

static bool only_none(const struct opt_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->item[i], "none") != 0)
			return false;
	return list->n > 0;
}

/* Two options do not go together, of which a is rather the mistake. Says where the file has it, or
 * else the other; that decides whose mistake it is. Returns an exit status. */
static int clash(const struct hub_options *opt, const char *a, const char *b, const char *wrong,
		 char *why, size_t cap)
{
	char place[300];
	bool file = options_place(opt, a, place, sizeof(place)) ||
		    options_place(opt, b, place, sizeof(place));

	snprintf(why, cap, "%s%s", place, wrong);
	return file ? EX_CONFIG : EX_USAGE;
}

static bool prefix_ok(const char *prefix)
{
	size_t n = strlen(prefix);

	for (size_t i = 0; i < n; i++)
		if (prefix[i] <= ' ' || prefix[i] > '~')
			return false;
	return n > 0 && n <= 128;
}

/* What each option alone cannot tell. Returns 0 or an exit status with the reason in why. */
static int together(const struct hub_options *opt, char *why, size_t cap)
{
	char wrong[100];

	if (opt->ping > 0 && opt->pong <= opt->ping) {
		snprintf(wrong, sizeof(wrong), "pong (%g s) must be longer than ping (%g s)",
			 opt->pong, opt->ping);
		return clash(opt, "pong", "ping", wrong, why, cap);
	}
	if (opt->listen_proxy.n && !opt->trust_proxy.n)
		return clash(opt, "listen-proxy", "listen-proxy",
			     "listen-proxy needs trust-proxy: who may speak there", why, cap);
	if (opt->store && opt->bus.n)
		return clash(opt, "store", "bus", "store and bus do not go together: Redis keeps",
			     why, cap);
	if (opt->bus_socketio && !prefix_ok(opt->bus_socketio))
		return clash(opt, "bus-socketio", "bus-socketio",
			     "bus-socketio must be 1 to 128 bytes of printable ASCII", why, cap);
	if (!opt->tls_cert != !opt->tls_key)
		return clash(opt, "tls-cert", "tls-key", "tls-cert and tls-key need each other",
			     why, cap);
	if (only_none(&opt->listen) && opt->socket && strcmp(opt->socket, "none") == 0 &&
	    !getenv("LISTEN_FDS")) {
		clash(opt, "socket", "listen",
		      "listen and socket are both none: nobody could come in", why, cap);
		return EX_CONFIG;
	}
	return 0;
}

/* How many connections so many descriptors are enough for: each may have a file beside it. */
static int64_t room(const struct hub_options *opt, int64_t nofile)
{
	return (nofile - SPARE_FDS) / (opt->www.n ? 2 : 1);
}

/* Where nobody is yet that could be held up. */
static int check_user(const struct hub_options *opt, char *why, size_t cap)
{
	char wrong[100];

	if (!opt->user || getpwnam(opt->user))
		return 0;
	snprintf(wrong, sizeof(wrong), "user: %.60s: no such user", opt->user);
	clash(opt, "user", "user", wrong, why, cap);
	return EX_CONFIG;
}

static void bound_connections(struct hub_options *opt, int64_t nofile)
{
	if (opt->max_connections > room(opt, nofile))
		opt->max_connections = room(opt, nofile);
	if (opt->max_polling < 0)
		opt->max_polling = opt->max_connections;
}

void options_read(struct hub_options *opt, int argc, char **argv)
{
	char why[500];
	int64_t nofile;
	int status;

	defaults(opt);
	nofile = opt->max_connections + SPARE_FDS;
	if (opt_parse(&program, argc, argv, opt) != argc)
		err_die(EX_USAGE, "there are no operands: '%s'", argv[argc - 1]);
	err_init("hubd", (enum err_level)opt->log_level);
	status = together(opt, why, sizeof(why));
	if (status == 0)
		status = check_user(opt, why, sizeof(why));
	if (status != 0)
		err_die(status, "%s", why);
	if (nofile <= SPARE_FDS)
		err_die(EX_CONFIG, "only %jd descriptors are allowed; raise the limit (ulimit -n)",
			(intmax_t)nofile);
	if (opt->max_connections > room(opt, nofile) && opt->max_connections != nofile - SPARE_FDS)
		err_log(ERR_WARN,
			"max-connections: only %jd descriptors are allowed; raise the limit "
			"(ulimit -n)",
			(intmax_t)nofile);
	bound_connections(opt, nofile);
}

int options_read_again(struct hub_options *opt, int argc, char **argv, char *why, size_t cap)
{
	int64_t nofile;

	defaults(opt);
	nofile = opt->max_connections + SPARE_FDS;
	/* Nothing that could make the hub wait is opened. */
	if (opt_parse_again(&program, argc, argv, opt, why, cap) < 0 ||
	    (opt->keys && opt_file_again(opt->keys, why, cap) < 0) ||
	    (opt->tls_cert && opt_file_again(opt->tls_cert, why, cap) < 0) ||
	    (opt->tls_key && opt_file_again(opt->tls_key, why, cap) < 0) ||
	    together(opt, why, cap) != 0)
		return -EINVAL;
	bound_connections(opt, nofile);
	return 0;
}

struct change_call {
	void (*each)(const char *name, bool is_live, void *arg);
	void *arg;
};

static void on_change(const struct opt *o, void *arg)
{
	const struct change_call *call = arg;
	size_t i = 0;

	while (live[i] && strcmp(live[i], o->name) != 0)
		i++;
	call->each(o->name, live[i] != NULL, call->arg);
}

void options_changes(const struct hub_options *before, const struct hub_options *after,
		     void (*each)(const char *name, bool is_live, void *arg), void *arg)
{
	struct change_call call = {each, arg};

	opt_changes(&program, before, after, on_change, &call);
}
