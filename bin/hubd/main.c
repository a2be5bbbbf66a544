/* hubd: routes messages between the members of a session. This file knows all rooms and is known to
 * none: it reads the options, hands each room what it needs, makes the workers, runs one of them in
 * this thread, and takes the signals. */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "auth/resume.h"
#include "base/err.h"
#include "base/url.h"
#include "dialect/hub7.h"
#include "door/doors.h"
#include "door/listener.h"
#include "door/stream.h"
#include "door/tls.h"
#include "json/json.h"
#include "member/member.h"
#include "options.h"
#include "session/registry.h"
#include "store/store.h"

struct hub {
	struct hub_options opt;
	struct workers workers;
	struct log_memory memory;
	struct session_env env;
	struct registry registry;
	struct store_settings store_settings;
	struct store *store; /* NULL: nothing outlives hubd */
	struct conn_settings conns;
	struct hub7 hub7;
	struct door_settings door_settings;
	struct tls *tls; /* NULL: plain TCP */
	struct keys *keys;
	unsigned char secret[RESUME_KEY_LEN];
	/* What rooms keep for each worker. */
	struct members members[WORKERS_MAX];
	struct doors doors[WORKERS_MAX];
};

_Static_assert(RESUME_KEY_LEN >= DEDUP_KEY_LEN, "msg_ids are hashed with a part of the secret");

static int open_listeners(struct hub_options *opt, struct listeners *ls)
{
	static char path[PATH_MAX];
	size_t i;
	int r;

	if (!opt->listen.n)
		opt->listen = (struct opt_list){.item = {"127.0.0.1:4820"}, .n = 1};
	for (i = 0; i < opt->listen.n; i++) {
		if (strcmp(opt->listen.item[i], "none") == 0)
			continue;
		r = listeners_add_tcp(ls, opt->listen.item[i]);
		if (r != 0)
			return r;
	}
	if (opt->socket && strcmp(opt->socket, "none") == 0)
		return 0;
	if (!opt->socket) {
		r = url_default_socket(path, sizeof(path), true);
		if (r < 0) {
			err_log(ERR_ERROR, "no place for the socket (use --socket): %s",
				strerror(-r));
			return r == -EPERM ? EX_NOPERM : EX_CANTCREAT;
		}
		opt->socket = path;
	}
	return listeners_add_unix(ls, opt->socket);
}

/* --- readiness --- */

struct ready {
	struct buf line;
	size_t n;
	const char *socket;
};

static void ready_address(const char *text, bool local, void *arg)
{
	struct ready *r = arg;

	err_log(ERR_INFO, "listening on %s%s", local ? "unix:" : "", text);
	if (local) {
		r->socket = text;
		return;
	}
	if (r->n++)
		buf_puts(&r->line, ",");
	buf_put_json(&r->line, text, strlen(text));
}

static void say_ready(int fd, const struct listeners *ls)
{
	struct ready r = {0};

	buf_printf(&r.line,
		   "{\"type\":\"ready\",\"version\":\"" HUB_VERSION "\",\"pid\":%jd,\"listen\":[",
		   (intmax_t)getpid());
	listeners_each(ls, ready_address, &r);
	buf_puts(&r.line, "],\"socket\":");
	if (r.socket)
		buf_put_json(&r.line, r.socket, strlen(r.socket));
	else
		buf_puts(&r.line, "null");
	buf_puts(&r.line, "}\n");
	if (fd > 0) {
		if (write(fd, r.line.data, r.line.len) != (ssize_t)r.line.len)
			err_log(ERR_WARN, "ready-fd %d: %s", fd, strerror(errno));
		if (fd > STDERR_FILENO)
			close(fd);
	}
	buf_free(&r.line);
}

/* --- the steps of a worker --- */

/* One worker looks after the sessions. */
static void second(struct worker *w)
{
	struct registry *registry = w->members->registry;

	member_second(w);
	doors_second(w);
	if (w->index == 0)
		registry_sweep(registry, worker_now_ms(w));
}

static void drain(struct worker *w, uint64_t left_ms, bool now)
{
	doors_drain(w);
	deliver_drain(w, left_ms, now);
}

static void abort_rooms(struct worker *w)
{
	conns_abort(w);
	doors_abort(w);
}

static void free_rooms(struct worker *w)
{
	doors_free(w);
	members_free(w);
}

static const struct worker_hooks hooks = {
    .start = doors_start,
    .step = {[TURN_STREAMS] = stream_turn,
	     [TURN_SESSIONS] = deliver_session,
	     [TURN_CONNECTIONS] = deliver_connection,
	     [TURN_REAP] = seat_reap},
    .due = conn_due,
    .second = second,
    .drain = drain,
    .abort = abort_rooms,
    .free = free_rooms,
};

/* Makes all workers, then starts their doors. Returns 0 or an exit status. */
static int make_workers(struct hub *hub)
{
	unsigned i;

	for (i = 0; i < (unsigned)hub->opt.workers; i++) {
		struct worker *w = worker_new(&hub->workers, &hooks);

		if (!w)
			return EX_OSERR;
		hub->members[i] = (struct members){.registry = &hub->registry,
						   .resyncs = hub->opt.slow == SLOW_RESYNC};
		hub->doors[i] = (struct doors){.set = &hub->door_settings,
					       .tls = hub->tls ? tls_ref(hub->tls) : NULL};
		w->conns = &hub->conns;
		w->members = &hub->members[i];
		w->hub7 = &hub->hub7;
		w->doors = &hub->doors[i];
	}
	for (i = 0; i < hub->workers.n; i++)
		if (worker_start(hub->workers.at[i]) < 0)
			return EX_CONFIG;
	return 0;
}

/* --- running --- */

struct signals {
	struct hub *hub;
	struct listeners *listeners;
	uv_signal_t term, intr, hup;
};

/* The first signal drains; a second one ends at once. */
static void on_signal(uv_signal_t *handle, int signum)
{
	struct signals *st = handle->data;
	struct workers *workers = &st->hub->workers;
	unsigned i;

	if (atomic_exchange(&workers->draining, true)) {
		err_log(ERR_WARN, "stopped at once by a second signal");
		_exit(0);
	}
	err_log(ERR_INFO, "signal %d: sending %u connections away", signum,
		workers_connections(workers));
	listeners_stop(st->listeners);
	for (i = 0; i < workers->n; i++)
		worker_drain(workers->at[i]);
}

/* Connections that come from now on get the new certificate; where it is none, the old one. */
static void on_hangup(uv_signal_t *handle, int signum)
{
	struct signals *st = handle->data;
	const struct hub_options *opt = &st->hub->opt;
	struct tls *tls;
	char why[512];
	unsigned i;

	(void)signum;
	if (!opt->tls_cert)
		return;
	tls = tls_load(opt->tls_cert, opt->tls_key, why, sizeof(why));
	if (!tls) {
		err_log(ERR_ERROR, "%s; the old one stays", why);
		return;
	}
	for (i = 0; i < st->hub->workers.n; i++)
		doors_set_tls(st->hub->workers.at[i], tls);
	tls_unref(tls);
	err_log(ERR_INFO, "certificate %s: read again", opt->tls_cert);
}

static void *run_thread(void *arg)
{
	worker_run(arg);
	return NULL;
}

/* Worker 0 runs here, the others in threads of their own, until a signal has drained them all. */
static int run(struct hub *hub, struct listeners *ls)
{
	struct signals st = {.hub = hub, .listeners = ls};
	uv_loop_t *loop = worker_loop(hub->workers.at[0]);
	pthread_t threads[WORKERS_MAX];
	unsigned i;
	int r;

	r = listeners_start(ls);
	if (r != 0)
		return r;
	uv_signal_init(loop, &st.term);
	uv_signal_init(loop, &st.intr);
	uv_signal_init(loop, &st.hup);
	st.term.data = st.intr.data = st.hup.data = &st;
	uv_signal_start(&st.term, on_signal, SIGTERM);
	uv_signal_start(&st.intr, on_signal, SIGINT);
	uv_signal_start(&st.hup, on_hangup, SIGHUP);
	for (i = 1; i < hub->workers.n; i++) {
		r = pthread_create(&threads[i], NULL, run_thread, hub->workers.at[i]);
		if (r != 0)
			err_die(EX_OSERR, "cannot start a thread: %s", strerror(r));
	}
	say_ready((int)hub->opt.ready_fd, ls);
	worker_run(hub->workers.at[0]);
	for (i = 1; i < hub->workers.n; i++)
		pthread_join(threads[i], NULL);
	uv_close((uv_handle_t *)&st.term, NULL);
	uv_close((uv_handle_t *)&st.intr, NULL);
	uv_close((uv_handle_t *)&st.hup, NULL);
	uv_run(loop, UV_RUN_NOWAIT);
	return 0;
}

static struct keys *load_keys(const char *file)
{
	char why[512] = "out of memory";
	struct keys *keys = file ? keys_load(file, why, sizeof(why)) : keys_default();

	if (!keys)
		err_die(file ? EX_CONFIG : EX_OSERR, "%s", why);
	return keys;
}

/* What the rooms are told of the options; the store has had its say about secret and run. */
static void settle(struct hub *hub, uint32_t run)
{
	const struct hub_options *opt = &hub->opt;

	hub->workers.drain_ms = (uint64_t)(opt->drain * 1000);
	hub->memory.max = (size_t)opt->history_memory;
	hub->env = (struct session_env){
	    .limits = {.records = (size_t)opt->history,
		       .bytes = (size_t)opt->history_bytes,
		       .grace_ms = (int64_t)(opt->slow_after * 1000)},
	    .memory = &hub->memory,
	    .workers = &hub->workers,
	    .archive = hub->store ? store_archive(hub->store) : NULL,
	    .events = &member_events,
	    .run = run,
	    .max_members = (size_t)opt->max_members,
	    .state_keys = (size_t)opt->state_keys,
	    .presence_limit = (uint32_t)opt->presence_limit,
	    .retains = opt->slow == SLOW_RESYNC,
	};
	hub->conns = (struct conn_settings){.max_message = (size_t)opt->max_message,
					    .ping = opt->ping,
					    .pong = opt->pong,
					    .write_timeout = opt->write_timeout};
	hub->hub7 = (struct hub7){.secret = hub->secret,
				  .client_version = opt->client_version,
				  .keys = hub->keys,
				  .fields = hub7_fields(),
				  .run = run,
				  .keeps = hub->store != NULL};
	hub->door_settings =
	    (struct door_settings){.registry = &hub->registry,
				   .max_connections = (unsigned)opt->max_connections,
				   .max_header = (size_t)opt->max_header,
				   .header_timeout = (uint32_t)(opt->header_timeout + 0.999),
				   .tls = hub->tls != NULL};
	if (!hub->hub7.fields || registry_init(&hub->registry, &hub->env, (size_t)opt->max_sessions,
					       (uint64_t)(opt->session_ttl * 1000)) < 0)
		err_die(EX_OSERR, "out of memory");
}

static int serve(struct hub *hub)
{
	const struct hub_options *opt = &hub->opt;
	struct listeners *ls = listeners_new(&hub->workers, (unsigned)opt->max_connections);
	char why[512];
	uint32_t run_number;
	unsigned i;
	int status;

	if (!ls)
		err_die(EX_OSERR, "out of memory");
	hub->keys = load_keys(opt->keys);
	if (opt->tls_cert && !(hub->tls = tls_load(opt->tls_cert, opt->tls_key, why, sizeof(why))))
		err_die(EX_CONFIG, "%s", why);
	randombytes_buf(hub->secret, sizeof(hub->secret));
	randombytes_buf(&run_number, sizeof(run_number));
	hub->store_settings = (struct store_settings){.file = opt->store,
						      .sync = (enum store_sync)opt->sync,
						      .keep_records = opt->keep_records,
						      .keep_days = opt->keep_days};
	if (opt->store) {
		hub->store = store_open(&hub->store_settings, hub->secret, sizeof(hub->secret),
					&run_number, &status);
		if (!hub->store)
			goto fail_store;
	}
	settle(hub, run_number);
	status = open_listeners(&hub->opt, ls);
	if (status != 0)
		goto fail_listeners;
	status = make_workers(hub);
	if (status != 0)
		goto fail_workers;
	if (hub->store && store_start(hub->store, &hub->env) < 0) {
		err_log(ERR_ERROR, "cannot start a thread");
		status = EX_OSERR;
	} else {
		status = run(hub, ls);
	}
	if (store_stop(hub->store) < 0 && status == 0)
		status = EX_IOERR;
fail_workers:
	listeners_stop(ls);
	for (i = 0; i < hub->workers.n; i++)
		worker_free(hub->workers.at[i]);
fail_listeners:
	listeners_stop(ls);
	registry_free(&hub->registry);
	json_paths_free(hub->hub7.fields);
	store_free(hub->store);
fail_store:
	listeners_free(ls);
	tls_unref(hub->tls);
	keys_free(hub->keys);
	return status;
}

int main(int argc, char **argv)
{
	static struct hub hub;
	int status;

	err_init("hubd", ERR_INFO);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a full store is an error like any other */
	if (sodium_init() < 0)
		err_die(EX_OSERR, "cannot initialise libsodium");
	options_read(&hub.opt, argc, argv);
	status = serve(&hub);
	if (status == 0)
		err_log(ERR_INFO, "stopped");
	return status;
}
