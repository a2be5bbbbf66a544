/* The beginning of a connection: who one is, and whom one speaks to; then what both need. */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "bus/bus_impl.h"

#define SECRET_KEY BUS_PREFIX "secret"

/* --- greeting: AUTH, SELECT and INFO, then, of a master, the rest */

/* The hearing one follows to where the other is. */
void link_begin_sub(struct link *l)
{
	if (redis_conn_open(&l->sub, &l->url, l->bus->tls, l->attempt) < 0)
		link_fail(l, l->sub.why);
}

static void set_up(struct link *l)
{
	bool anew = !l->greeted;
	char where[400];

	redis_url_text(&l->url, l->attempt, where, sizeof(where));
	if (l->said)
		err_log(ERR_INFO, "bus %s: connected", where);
	l->said = false;
	l->up = l->greeted = true;
	l->down_ms = 0;
	l->pause_ms = 0;
	far_resume_all(l, anew);
	if (l->sub.step == REDIS_CLOSED)
		link_begin_sub(l);
}

static void on_client(struct link *l, struct call *call, const redisReply *reply)
{
	(void)call;
	if (!reply)
		return;
	if (reply->type != REDIS_REPLY_INTEGER) {
		link_fail(l, reply->type == REDIS_REPLY_ERROR ? reply->str : "no id of a client");
		return;
	}
	snprintf(l->client, sizeof(l->client), "%lld", reply->integer);
	set_up(l);
}

static void on_script(struct link *l, struct call *call, const redisReply *reply)
{
	if (!reply)
		return;
	if (reply->type != REDIS_REPLY_STRING || reply->len != 40) {
		link_fail(l,
			  reply->type == REDIS_REPLY_ERROR ? reply->str : "no script was loaded");
		return;
	}
	memcpy(l->sha[call->head], reply->str, 40);
}

static void on_secret(struct link *l, struct call *call, const redisReply *reply)
{
	struct bus *bus = l->bus;

	(void)call;
	if (!reply || bus->env || l->index)
		return; /* it is in use */
	if (reply->type != REDIS_REPLY_STRING || (size_t)reply->len != 2 * bus->secret_len ||
	    sodium_hex2bin(bus->secret, bus->secret_len, reply->str, (size_t)reply->len, NULL, NULL,
			   NULL) != 0)
		link_fail(l, SECRET_KEY " is no secret of hubd");
}

/* A field of INFO's text. False where it is not there, or too long. */
static bool info_field(const char *info, const char *name, char *out, size_t cap)
{
	const char *at = strstr(info, name);
	size_t n = at ? strcspn(at += strlen(name), "\r\n") : cap;

	if (n >= cap)
		return false;
	memcpy(out, at, n);
	out[n] = '\0';
	return true;
}

static void greet_master(struct link *l)
{
	char hex[2 * sizeof(l->bus->secret) + 1];
	const struct span set[] = {{"SET", 3},
				   {SECRET_KEY, sizeof(SECRET_KEY) - 1},
				   {hex, 2 * l->bus->secret_len},
				   {"NX", 2}};
	const struct span get[] = {{"GET", 3}, {SECRET_KEY, sizeof(SECRET_KEY) - 1}};
	const struct span kill_words[] = {
	    {"CLIENT", 6}, {"KILL", 4}, {"ID", 2}, {l->client, strlen(l->client)}};
	const struct span id[] = {{"CLIENT", 6}, {"ID", 2}};

	/* What the old connection has not been read of is not to be done behind what comes now. */
	if (l->greeted)
		call_words(l, call_ignored, kill_words, 4);
	sodium_bin2hex(hex, sizeof(hex), l->bus->secret, l->bus->secret_len);
	call_words(l, call_ignored, set, 4);
	call_words(l, on_secret, get, 2);
	for (int i = 0; i < SCRIPTS && l->pub.step == REDIS_OPEN; i++) {
		const struct span words[3] = {
		    {"SCRIPT", 6}, {"LOAD", 4}, script_text((enum script)i)};
		struct call *call = call_new(NULL, on_script);

		if (!call || redis_put(&call->command, words, 3) < 0) {
			call_free(call);
			link_fail(l, "out of memory");
			return;
		}
		call->head = (uint64_t)i;
		link_call(l, call);
	}
	if (l->bus->env)
		kept_ask(l);
	call_words(l, on_client, id, 2);
}

static void on_info(struct link *l, struct call *call, const redisReply *reply)
{
	char role[32], server[sizeof(l->server)];

	(void)call;
	if (!reply)
		return;
	if (reply->type != REDIS_REPLY_STRING ||
	    !info_field(reply->str, "role:", role, sizeof(role)) ||
	    !info_field(reply->str, "run_id:", server, sizeof(server))) {
		link_fail(l, reply->type == REDIS_REPLY_ERROR ? reply->str : "it is no Redis");
		return;
	}
	if (strcmp(role, "master") != 0) {
		link_fail(l, "it is a replica");
		return;
	}
	l->greeted = l->greeted && strcmp(server, l->server) == 0;
	strcpy(l->server, server);
	greet_master(l);
}

static void on_greeted(struct link *l, struct call *call, const redisReply *reply)
{
	(void)call;
	if (reply && reply->type == REDIS_REPLY_ERROR)
		link_fail(l, reply->str);
}

void link_greeting(struct link *l)
{
	static const struct span info[] = {{"INFO", 4}};
	struct span words[3];
	size_t n = redis_url_auth(&l->url, words);
	char db[12];

	if (n)
		call_words(l, on_greeted, words, n);
	if (l->url.db) {
		snprintf(db, sizeof(db), "%u", l->url.db);
		words[0] = (struct span){"SELECT", 6};
		words[1] = (struct span){db, strlen(db)};
		call_words(l, on_greeted, words, 2);
	}
	call_words(l, on_info, info, 1);
}

void link_sub_opened(struct link *l)
{
	struct span words[3];
	size_t n = redis_url_auth(&l->url, words);

	if (n)
		redis_put(&l->sub.out, words, n);
	kept_subscribe(l);
	asks_subscribe(l);
	lists_subscribe(l);
	for (struct far *f = l->all; f; f = f->next)
		far_subscribe(l, f);
}
