#include "settings.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "door/tls.h"
#include "rules/rules.h"

static struct keys *read_keys(const char *file, char *why, size_t cap)
{
	snprintf(why, cap, "out of memory");
	return file ? keys_load(file, why, cap) : keys_default();
}

/* Where records have places, beside what the table says. */
static int read_areas(struct keys *keys, const struct hub_options *opt, struct area_grids *grids,
		      char *why, size_t cap)
{
	for (size_t i = 0; i < opt->area.n; i++) {
		const char *wrong = keys_add_area(keys, opt->area.item[i]);

		if (!wrong)
			continue;
		snprintf(why, cap, "area %s: %s", opt->area.item[i], wrong);
		return -EINVAL;
	}
	if (keys_set_grids(keys, grids) == 0)
		return 0;
	snprintf(why, cap,
		 grids->fixed ? "area: cells of another size take a restart"
			      : "area: cells may have 4 sizes at most");
	return -EINVAL;
}

static int read_trust(struct settings *s, const struct hub_options *opt, char *why, size_t cap)
{
	s->trust.field = (enum forwarded_field)opt->proxy_header;
	for (size_t i = 0; i < opt->trust_proxy.n; i++) {
		struct http1_span at;
		const char *wrong = trust_add(&s->trust, opt->trust_proxy.item[i], &at);

		if (!wrong)
			continue;
		snprintf(why, cap, "trust-proxy: '%.*s': %s", (int)at.len, at.p, wrong);
		return -EINVAL;
	}
	return 0;
}

/* A page that may read answers, and whose requests are refused, is a mistake. */
static int read_gate(struct settings *s, const struct hub_options *opt, char *why, size_t cap)
{
	char place[300];
	int r = 0;

	for (size_t i = 0; r == 0 && i < opt->host.n; i++)
		r = gate_add_host(&s->gate, opt->host.item[i]);
	for (size_t i = 0; r == 0 && i < opt->origin.n; i++)
		r = gate_add_origin(&s->gate, opt->origin.item[i]);
	if (r < 0) {
		snprintf(why, cap, "out of memory");
		return r;
	}
	for (size_t i = 0; i < opt->cors.n; i++) {
		const char *origin = opt->cors.item[i];

		if (strcmp(origin, "*") == 0 ||
		    gate_has_origin(&s->gate, (struct span){origin, strlen(origin)}))
			continue;
		options_place(opt, "cors", place, sizeof(place));
		snprintf(why, cap, "%scors: requests of '%s' are refused: no origin matches it",
			 place, origin);
		return -EINVAL;
	}
	return 0;
}

static bool read_www(struct settings *s, const struct hub_options *opt, char *why, size_t cap)
{
	for (size_t i = 0; i < opt->www.n; i++) {
		int r = www_add(&s->www, opt->www.item[i]);

		if (r == 0)
			continue;
		snprintf(why, cap, "www %s: %s", opt->www.item[i], strerror(-r));
		return false;
	}
	return true;
}

/* How tokens are taken, where there are keys for them. False with the reason in why. */
static bool read_auth(struct settings *s, const struct hub_options *opt,
		      const struct settings_fixed *fixed, char *why, size_t cap)
{
	char reason[300];

	if (!opt->auth_key.n)
		return true;
	s->token_keys = token_keys_new();
	if (!s->token_keys)
		snprintf(why, cap, "out of memory");
	for (size_t i = 0; s->token_keys && i < opt->auth_key.n; i++) {
		if (token_keys_read(s->token_keys, opt->auth_key.item[i], reason, sizeof(reason)) ==
		    0)
			continue;
		snprintf(why, cap, "auth-key %s: %s", opt->auth_key.item[i], reason);
		return false;
	}
	s->audiences = opt->auth_audience;
	s->issuers = opt->auth_issuer;
	s->auth = (struct auth){.rules = {.keys = s->token_keys,
					  .expected = {.audiences = s->audiences.item,
						       .naudiences = s->audiences.n,
						       .issuers = s->issuers.item,
						       .nissuers = s->issuers.n}},
				.info_claim = opt->auth_info,
				.takes_query = opt->allow_query_token,
				.all = fixed->identities};
	return s->token_keys != NULL;
}

static void say_bad_rule(const char *text)
{
	err_log(ERR_ERROR, "%s; that rule stays as it was", text);
}

static bool read_rules(struct settings *s, const struct hub_options *opt,
		       const struct settings_fixed *fixed, char *why, size_t cap)
{
	if (!opt->rules)
		return true;
	s->rules = rules_load(opt->rules, fixed->workers ? fixed->workers : 1, fixed->rules,
			      say_bad_rule, why, cap);
	s->auth.keeps_claims = true;
	return s->rules != NULL;
}

/* Without the slash at its end; empty where there is none. */
static struct http1_span socketio_path(const char *path)
{
	size_t len = strcmp(path, "none") == 0 ? 0 : strlen(path);

	if (len > 1 && path[len - 1] == '/')
		len--;
	return (struct http1_span){path, len};
}

void settings_fix(struct settings *s, const struct settings_fixed *fixed)
{
	s->hub7.run = fixed->run;
	s->hub7.keeps = fixed->keeps;
}

struct settings *settings_new(const struct hub_options *opt, const struct settings_fixed *fixed,
			      char *why, size_t cap)
{
	struct settings *s = calloc(1, sizeof(*s));

	if (!s) {
		snprintf(why, cap, "out of memory");
		return NULL;
	}
	atomic_init(&s->refs, 1);
	s->keys = read_keys(opt->keys, why, cap);
	s->cors = opt->cors;
	if (!s->keys || read_areas(s->keys, opt, fixed->grids, why, cap) < 0 ||
	    read_trust(s, opt, why, cap) < 0 || read_gate(s, opt, why, cap) < 0 ||
	    !read_www(s, opt, why, cap) || !read_auth(s, opt, fixed, why, cap) ||
	    !read_rules(s, opt, fixed, why, cap) ||
	    (opt->tls_cert && !(s->tls = tls_load(opt->tls_cert, opt->tls_key, why, cap)))) {
		settings_unref(s);
		return NULL;
	}
	s->conns = (struct conn_settings){
	    .max_message = (size_t)opt->max_message,
	    .deflate = opt->deflate,
	    .deflate_min = (size_t)opt->deflate_min,
	    .ping = opt->ping,
	    .pong = opt->pong,
	    .write_timeout = opt->write_timeout,
	    .resume_ms = (uint64_t)(opt->resume_ttl * 1000),
	    .rates = meter_rates(opt->rate_messages, opt->rate_bytes),
	    .user_rates = meter_rates(opt->rate_user_messages, opt->rate_user_bytes),
	    .address_rates = meter_rates(opt->rate_address_messages, opt->rate_address_bytes),
	    .max_memory = (size_t)opt->connection_memory,
	    .max_per_address = (unsigned)opt->max_per_address,
	    .max_per_user = (unsigned)opt->max_per_user,
	    .rate_requests = opt->rate_requests,
	    .rate_joins = opt->rate_joins,
	    .shares = fixed->shares};
	memcpy(s->conns.id_key, fixed->ids, CONN_ID_KEY_LEN);
	s->hub7 = (struct hub7){.secret = fixed->secret,
				.client_version = opt->client_version,
				.keys = s->keys,
				.grids = *fixed->grids,
				.auth = s->token_keys ? &s->auth : NULL,
				.rules = s->rules,
				.fields = fixed->fields};
	settings_fix(s, fixed);
	s->doors =
	    (struct door_settings){.registry = fixed->registry,
				   .auth = s->hub7.auth,
				   .max_connections = (unsigned)opt->max_connections,
				   .max_header = (size_t)opt->max_header,
				   .header_timeout = (uint32_t)(opt->header_timeout + 0.999),
				   .tls = s->tls != NULL,
				   .started_ms = fixed->started_ms,
				   .cors = &s->cors,
				   .trust = &s->trust,
				   .gate = &s->gate,
				   .www = &s->www,
				   .socketio_path = socketio_path(opt->socketio_path),
				   .socketio_connect_ms = (uint32_t)(opt->socketio_connect * 1000),
				   .max_polling = (unsigned)opt->max_polling,
				   .socketio_echo = opt->socketio_echo};
	return s;
}

struct settings *settings_ref(struct settings *s)
{
	atomic_fetch_add(&s->refs, 1);
	return s;
}

void settings_unref(struct settings *s)
{
	if (!s || atomic_fetch_sub(&s->refs, 1) > 1)
		return;
	tls_unref(s->tls);
	keys_free(s->keys);
	token_keys_free(s->token_keys);
	rules_free(s->rules);
	buf_free(&s->gate.memory);
	www_free(&s->www);
	free(s);
}

static struct settings *settings_of(struct worker *w)
{
	return (struct settings *)((char *)(uintptr_t)w->conns - offsetof(struct settings, conns));
}

void settings_begin(struct settings *s, struct worker *w)
{
	atomic_fetch_add(&s->refs, 1);
	w->conns = &s->conns;
	w->hub7 = &s->hub7;
	w->doors->set = &s->doors;
	w->doors->tls = s->tls;
}

void settings_end(struct worker *w)
{
	settings_unref(settings_of(w));
	w->conns = NULL;
	w->hub7 = NULL;
	w->doors->set = NULL;
	w->doors->tls = NULL;
}

struct change {
	struct mail mail;	   /* first */
	struct settings *settings; /* a reference */
};

static void on_change(struct worker *w, struct mail *mail)
{
	struct change *c = (struct change *)mail;

	settings_end(w);
	settings_begin(c->settings, w);
	settings_unref(c->settings);
	free(c);
}

int settings_spread(struct settings *s, struct workers *workers)
{
	struct change *changes[WORKERS_MAX];

	for (unsigned i = 0; i < workers->n; i++) {
		changes[i] = malloc(sizeof(*changes[i]));
		if (changes[i])
			continue;
		while (i > 0)
			free(changes[--i]);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < workers->n; i++) {
		atomic_fetch_add(&s->refs, 1);
		*changes[i] = (struct change){{.run = on_change}, s};
		worker_post(workers->at[i], &changes[i]->mail);
	}
	return 0;
}
