/* hubd: routes messages between the members of a session. This file knows all rooms and is known to
 * none: it reads the options, hands each room what it needs, makes the workers, runs one of them in
 * this thread, and takes the signals. */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "auth/bans.h"
#include "auth/ended.h"
#include "auth/resume.h"
#include "base/clock.h"
#include "base/err.h"
#include "bus/bridge.h"
#include "bus/bus.h"
#include "conn/encoding.h"
#include "dialect/hub7.h"
#include "door/doors.h"
#include "door/listener.h"
#include "door/www.h"
#include "foreign.h"
#include "listening.h"
#include "loop/journal.h"
#include "member/absent.h"
#include "member/member.h"
#include "options.h"
#include "recall.h"
#include "rules/rules.h"
#include "service.h"
#include "session/registry.h"
#include "settings.h"
#include "store/store.h"
#include "wire/forwarded.h"

#define JOURNAL_END_MS 500    /* for the last lines to be read */
#define ANSWER_PART 10	      /* of the time that a hub may be silent it has to answer */
#define BUS_TTL_MORE_MS 60000 /* for which a session that all hubds have left is in Redis still */

struct hub {
	int argc;
	char **argv;
	struct hub_options opt;
	struct workers workers;
	struct log_memory memory;
	struct session_env env;
	struct registry registry;
	struct store_settings store_settings;
	struct store *store; /* NULL: nothing outlives hubd */
	struct bus_settings bus_settings;
	struct bus *bus; /* NULL: it is alone */
	struct bridge_settings bridge_settings;
	struct foreign foreign; /* without a bridge: there is none */
	struct recall recall;
	struct bans *bans;
	struct ended *ended;
	struct absents *absents;
	struct settings_fixed fixed;
	struct settings *settings; /* for workers to come */
	struct settings *first;	   /* those of the start: by its keys the store is read */
	struct area_grids grids;
	unsigned char secret[RESUME_KEY_LEN];
	unsigned char ids[CONN_ID_KEY_LEN];
	struct shares *shares;
	struct intern *identities;
	/* What rooms keep for each worker. */
	struct members members[WORKERS_MAX];
	struct doors doors[WORKERS_MAX];
};

_Static_assert(RESUME_KEY_LEN >= DEDUP_KEY_LEN, "msg_ids are hashed with a part of the secret");

/* --- the steps of a worker --- */

/* One worker looks after the sessions, and tells the service manager that all are alive. */
static void second(struct worker *w)
{
	struct registry *registry = w->members->registry;

	member_second(w);
	absent_second(w, false);
	doors_second(w);
	if (w->index != 0)
		return;
	registry_expire(registry, w);
	registry_sweep(registry, worker_now_ms(w));
	if (registry->env->published)
		foreign_second(registry->env->arg, w);
	service_notify("STATUS=%u connections, %zu sessions%s", workers_connections(w->all),
		       registry_count(registry),
		       workers_silent_ms(w) < service_watchdog_ms() / 2 ? "\nWATCHDOG=1" : "");
}

static void drain(struct worker *w, uint64_t left_ms, bool now)
{
	doors_drain(w);
	deliver_drain(w, left_ms, now);
}

static void abort_rooms(struct worker *w)
{
	absent_second(w, true);
	conns_abort(w);
	doors_abort(w);
}

static void free_rooms(struct worker *w)
{
	members_free(w);
	doors_free(w);
	settings_end(w);
}

static const struct worker_hooks hooks = {
    .start = doors_start,
    .step = {[TURN_STREAMS] = stream_turn,
	     [TURN_SESSIONS] = deliver_session,
	     [TURN_CONNECTIONS] = deliver_connection,
	     [TURN_POLLS] = engineio_turn,
	     [TURN_FILES] = www_turn,
	     [TURN_REAP] = seat_reap,
	     [TURN_RESUME] = meter_resume},
    .due = conn_due,
    .second = second,
    .alarm = deliver_ticks,
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
						   .bans = hub->bans,
						   .ended = hub->ended,
						   .absents = hub->absents,
						   .resyncs = hub->opt.slow == SLOW_RESYNC};
		w->members = &hub->members[i];
		w->doors = &hub->doors[i];
		settings_begin(hub->settings, w);
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
		journal_stop(JOURNAL_END_MS);
		_exit(0);
	}
	err_log(ERR_INFO, "signal %d: sending %u connections away", signum,
		workers_connections(workers));
	service_notify("STOPPING=1");
	listeners_stop(st->listeners);
	for (i = 0; i < workers->n; i++)
		worker_drain(workers->at[i]);
}

static void say_change(const char *name, bool is_live, void *arg)
{
	unsigned *n = arg;

	(*n)++;
	if (is_live)
		err_log(ERR_INFO, "%s has changed", name);
	else
		err_log(ERR_WARN, "%s has changed: that takes a restart", name);
}

static void say_rule(const char *path, const char *what, void *arg)
{
	unsigned *n = arg;

	(*n)++;
	err_log(ERR_INFO, "%s %s", path, what);
}

/* Reads everything again that can change under way: options, and the files that they name. Where
 * something is wrong all stays as it was; nobody is sent away. */
static void on_hangup(uv_signal_t *handle, int signum)
{
	struct signals *st = handle->data;
	struct hub *hub = st->hub;
	struct hub_options opt;
	struct settings *settings = NULL;
	char why[1024];
	unsigned changes = 0, rules = 0;

	(void)signum;
	service_notify("RELOADING=1\nMONOTONIC_USEC=%" PRIu64, uv_hrtime() / 1000);
	hub->fixed.rules = hub->settings->rules;
	if (options_read_again(&opt, hub->argc, hub->argv, why, sizeof(why)) == 0)
		settings = settings_new(&opt, &hub->fixed, why, sizeof(why));
	if (!settings) {
		err_log(ERR_ERROR, "%s; everything stays as it was", why);
	} else if (hub->settings->token_keys && !settings->token_keys) {
		/* It may listen where everybody could come in then. */
		err_log(ERR_ERROR,
			"auth-key: without any key takes a restart; everything stays as it was");
		settings_unref(settings);
	} else if (settings_spread(settings, &hub->workers) < 0) {
		err_log(ERR_ERROR, "out of memory; everything stays as it was");
		settings_unref(settings);
	} else {
		options_changes(&hub->opt, &opt, say_change, &changes);
		rules_changes(hub->settings->rules, settings->rules, say_rule, &rules);
		settings_unref(hub->settings);
		hub->settings = settings;
		hub->opt = opt;
		err_init("hubd", (enum err_level)opt.log_level);
		journal_level((enum err_level)opt.log_level);
		err_log(ERR_INFO, "read again: %u options have changed%s%s", changes,
			opt.tls_cert ? "; the certificate was read" : "",
			!opt.rules ? ""
			: rules	   ? "; so have rules"
				   : "; no rule has");
	}
	service_notify("READY=1");
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

	r = journal_start(hub->opt.log_format == LOG_JSON, (enum err_level)hub->opt.log_level);
	if (r < 0)
		err_die(EX_OSERR, "cannot start a thread: %s", strerror(-r));
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
	listening_say(ls, (int)hub->opt.ready_fd);
	service_notify("READY=1");
	worker_run(hub->workers.at[0]);
	for (i = 1; i < hub->workers.n; i++)
		pthread_join(threads[i], NULL);
	uv_close((uv_handle_t *)&st.term, NULL);
	uv_close((uv_handle_t *)&st.intr, NULL);
	uv_close((uv_handle_t *)&st.hup, NULL);
	uv_run(loop, UV_RUN_NOWAIT);
	return 0;
}

/* What the rooms are told of the options that do not change. */
static void settle(struct hub *hub)
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
	    .archive = hub->store ? store_archive(hub->store)
		       : hub->bus ? bus_archive(hub->bus)
				  : NULL,
	    .events = &member_events,
	    .keys = hub->first->keys,
	    .run = hub->fixed.run,
	    .max_members = (size_t)opt->max_members,
	    .state_keys = (size_t)opt->state_keys,
	    .client_keys = (size_t)opt->client_keys,
	    .state_bytes = (size_t)opt->state_bytes,
	    .client_bytes = (size_t)opt->client_bytes,
	    .presence_limit = (uint32_t)opt->presence_limit,
	    .retains = opt->slow == SLOW_RESYNC,
	    .published = hub->foreign.bridge ? foreign_published : NULL,
	    .arg = &hub->foreign,
	};
	randombytes_buf(hub->env.hash_key, sizeof(hub->env.hash_key));
	if (registry_init(&hub->registry, &hub->env, (size_t)opt->max_sessions,
			  (uint64_t)(opt->session_ttl * 1000)) < 0)
		err_die(EX_OSERR, "out of memory");
}

/* Opens the store, which has its say about secret and run. Returns 0 or an exit status. */
static int open_store(struct hub *hub)
{
	const struct hub_options *opt = &hub->opt;
	int status = 0;

	hub->fixed.keeps = opt->store != NULL;
	hub->store_settings = (struct store_settings){.file = opt->store,
						      .sync = (enum store_sync)opt->sync,
						      .keep_records = opt->keep_records,
						      .keep_days = opt->keep_days,
						      .max_bytes = opt->store_max};
	if (opt->store)
		hub->store = store_open(&hub->store_settings, hub->secret, sizeof(hub->secret),
					&hub->fixed.run, &status);
	return status;
}

static void on_kept(void *arg, struct span name, struct span value, uint64_t until_ms, bool news)
{
	recall_heard(arg, name, value, until_ms, news);
}

static void on_asked(void *arg, uint64_t node, uint64_t number, struct span question)
{
	recall_asked(arg, node, number, question);
}

/* Finds the other hubds, with whom it shares the secret. Returns 0 or an exit status. */
static int open_bus(struct hub *hub)
{
	const struct hub_options *opt = &hub->opt;
	int status = 0;

	hub->recall = (struct recall){.members = &hub->members[0],
				      .workers = &hub->workers,
				      .resume_ms = (uint64_t)(opt->resume_ttl * 1000)};
	hub->bus_settings =
	    (struct bus_settings){.kept = on_kept,
				  .asked = on_asked,
				  .arg = &hub->recall,
				  .urls = (const char *const *)opt->bus.item,
				  .n = opt->bus.n,
				  .ca = opt->bus_ca,
				  .replicas = opt->bus_wait,
				  .node_ms = (uint64_t)(opt->bus_node_timeout * 1000),
				  .ttl_ms = (uint64_t)(opt->session_ttl * 1000) + BUS_TTL_MORE_MS};
	if (opt->bus.n)
		hub->bus = bus_open(&hub->bus_settings, hub->secret, sizeof(hub->secret), &status);
	return status;
}

/* What other servers of Socket.IO are told and heard by. Returns 0 or an exit status. */
static int open_bridge(struct hub *hub)
{
	const struct hub_options *opt = &hub->opt;
	unsigned char hash[crypto_generichash_BYTES];
	int status = 0;

	hub->foreign = (struct foreign){.registry = &hub->registry, .workers = &hub->workers};
	/* The same at all hubs that share the secret. */
	crypto_generichash(hash, sizeof(hash), (const unsigned char *)"foreign", 7, hub->secret,
			   sizeof(hub->secret));
	memcpy(&hub->foreign.sender, hash, sizeof(hub->foreign.sender));
	hub->bridge_settings = (struct bridge_settings){.prefix = opt->bus_socketio,
							.url = opt->bus_socketio_redis,
							.ca = opt->bus_ca,
							.max_message = (size_t)opt->max_message,
							.shared = opt->bus.n > 0,
							.secret = hub->secret,
							.secret_len = sizeof(hub->secret),
							.lease_ms = hub->bus_settings.node_ms,
							.event = encoding_event,
							.heard = foreign_heard,
							.arg = &hub->foreign};
	if (opt->bus_socketio)
		hub->foreign.bridge = bridge_new(&hub->bridge_settings, &status);
	return status;
}

/* Takes what only root may have, sockets and keys, then is somebody else. Returns 0 or an exit
 * status. */
static int prepare(struct hub *hub, struct listeners *ls)
{
	char why[1024];
	int status;

	randombytes_buf(hub->secret, sizeof(hub->secret));
	randombytes_buf(hub->ids, sizeof(hub->ids));
	hub->shares = shares_new((size_t)hub->opt.max_connections, hub->ids);
	hub->identities = intern_new((size_t)hub->opt.max_connections);
	hub->fixed = (struct settings_fixed){.registry = &hub->registry,
					     .fields = hub7_fields(),
					     .secret = hub->secret,
					     .ids = hub->ids,
					     .workers = (unsigned)hub->opt.workers,
					     .started_ms = clock_wall_ms(),
					     .shares = hub->shares,
					     .grids = &hub->grids,
					     .identities = hub->identities};
	randombytes_buf(&hub->fixed.run, sizeof(hub->fixed.run));
	hub->bans = bans_new();
	hub->ended = ended_new();
	hub->absents = absents_new((uint64_t)(hub->opt.bus_node_timeout * 1000 / ANSWER_PART));
	if (!ls || !hub->fixed.fields || !hub->bans || !hub->ended || !hub->absents ||
	    !hub->shares || !hub->identities)
		err_die(EX_OSERR, "out of memory");
	hub->settings = settings_new(&hub->opt, &hub->fixed, why, sizeof(why));
	if (!hub->settings) {
		err_log(ERR_ERROR, "%s", why);
		return EX_CONFIG;
	}
	hub->grids.fixed = true;
	hub->first = settings_ref(hub->settings);
	/* Who is to be somebody else binds before; else nobody knocks before the store is there. */
	status = hub->opt.user ? listening_open(&hub->opt, ls) : 0;
	if (status == 0 && hub->opt.user)
		status = service_become(hub->opt.user, listeners_own, ls);
	if (status == 0)
		status = open_store(hub);
	if (status == 0)
		status = open_bus(hub);
	if (status == 0)
		status = open_bridge(hub);
	settings_fix(hub->settings, &hub->fixed);
	if (status == 0 && !hub->opt.user)
		status = listening_open(&hub->opt, ls);
	return status;
}

static int serve(struct hub *hub)
{
	struct listeners *ls = listeners_new(&hub->workers, (unsigned)hub->opt.max_connections);
	int status = prepare(hub, ls);

	if (status != 0)
		goto fail_prepare;
	settle(hub);
	status = make_workers(hub);
	if (status != 0)
		goto fail_workers;
	if (hub->store && recall(hub->store, hub->opt.store, &hub->members[0],
				 (uint64_t)(hub->opt.resume_ttl * 1000)) < 0) {
		status = EX_CANTCREAT;
	} else if (hub->store && store_start(hub->store, &hub->env) < 0) {
		err_log(ERR_ERROR, "cannot start a thread");
		status = EX_OSERR;
	} else if (hub->bus && bus_start(hub->bus, &hub->env, &hub->registry) < 0) {
		err_log(ERR_ERROR, "cannot start a thread");
		status = EX_OSERR;
	} else if (hub->foreign.bridge && bridge_start(hub->foreign.bridge) < 0) {
		err_log(ERR_ERROR, "cannot start a thread");
		status = EX_OSERR;
	} else {
		status = run(hub, ls);
	}
	bridge_stop(hub->foreign.bridge);
	bus_stop(hub->bus);
	if (store_stop(hub->store) < 0 && status == 0)
		status = EX_IOERR;
fail_workers:
	listeners_stop(ls);
	workers_settle(&hub->workers);
	for (unsigned i = 0; i < hub->workers.n; i++)
		worker_free(hub->workers.at[i]);
	registry_free(&hub->registry);
fail_prepare:
	listeners_stop(ls);
	store_free(hub->store);
	bus_free(hub->bus);
	bridge_free(hub->foreign.bridge);
	settings_unref(hub->settings);
	settings_unref(hub->first);
	json_paths_free(hub->fixed.fields);
	shares_free(hub->shares);
	intern_free(hub->identities);
	bans_free(hub->bans);
	absents_free(hub->absents);
	ended_free(hub->ended);
	listeners_free(ls);
	return status;
}

/* Reads all that a start would read before it touches anything. */
static int check(struct hub *hub)
{
	char why[1024];
	int status;

	hub->fixed =
	    (struct settings_fixed){.secret = hub->secret, .ids = hub->ids, .grids = &hub->grids};
	hub->settings = settings_new(&hub->opt, &hub->fixed, why, sizeof(why));
	if (!hub->settings) {
		err_log(ERR_ERROR, "%s", why);
		return EX_CONFIG;
	}
	settings_unref(hub->settings);
	status = listening_check(&hub->opt);
	if (status == 0 && hub->opt.store)
		status = store_try(hub->opt.store);
	if (status != 0)
		return status;
	err_log(ERR_INFO, "the configuration is fine");
	return 0;
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
	hub.argc = argc;
	hub.argv = argv;
	options_read(&hub.opt, argc, argv);
	if (hub.opt.rules_test) {
		status = rules_try(hub.opt.rules_test);
		if (fflush(stdout) != 0)
			err_die(EX_IOERR, "standard output: %s", strerror(errno));
		return status;
	}
	if (hub.opt.check)
		return check(&hub);
	status = serve(&hub);
	if (status == 0)
		err_log(ERR_INFO, "stopped");
	journal_stop(JOURNAL_END_MS);
	return status;
}
