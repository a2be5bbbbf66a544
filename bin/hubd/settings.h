/* What the rooms are told of the options that may change while hubd runs. One of these is never
 * changed: a new one takes its place, worker by worker, and the old one goes when the last worker
 * has let go of it. */
#ifndef HUBD_SETTINGS_H
#define HUBD_SETTINGS_H

#include <stdatomic.h>
#include <stddef.h>

#include "auth/identity.h"
#include "conn/conn.h"
#include "dialect/hub7.h"
#include "door/doors.h"
#include "door/gate.h"
#include "door/www.h"
#include "json/keys.h"
#include "loop/worker.h"
#include "options.h"
#include "wire/forwarded.h"

struct tls;

/* What stays as it is for the whole run; borrowed. */
struct settings_fixed {
	struct registry *registry;
	struct json_paths *fields;   /* hub7_fields() */
	const unsigned char *secret; /* auth/resume.h */
	const unsigned char *ids;    /* CONN_ID_KEY_LEN bytes */
	uint64_t started_ms;	     /* wall clock */
	struct shares *shares;	     /* NULL: nobody comes in */
	struct intern *identities;   /* the same */
	uint32_t run;
	bool keeps; /* there is an archive */
	unsigned workers;
	struct area_grids *grids;
	const struct rules *rules; /* those in use: what does not compile stays as it is there */
};

struct settings {
	atomic_uint refs;
	struct conn_settings conns;
	struct hub7 hub7;
	struct door_settings doors;
	struct keys *keys;
	struct opt_list cors;
	struct trust trust;
	struct gate gate;
	struct www www;
	struct tls *tls; /* NULL: plain TCP */
	struct auth auth;
	struct rules *rules;	       /* NULL: there are none */
	struct token_keys *token_keys; /* NULL: no tokens are taken */
	struct opt_list audiences, issuers;
};

/* Reads the files that the options name. Borrows opt's texts, which live for ever. NULL with the
 * reason, and the file's name, in why. */
struct settings *settings_new(const struct hub_options *opt, const struct settings_fixed *fixed,
			      char *why, size_t cap);

/* Once more, of what was not known yet, before anybody goes by s. */
void settings_fix(struct settings *s, const struct settings_fixed *fixed);

struct settings *settings_ref(struct settings *s);
void settings_unref(struct settings *s); /* NULL is fine */

/* Before the workers run: w goes by s, which it references. */
void settings_begin(struct settings *s, struct worker *w);

/* The same for all while they run: from their next turn on. Returns 0 or -ENOMEM, with nothing
 * changed. */
int settings_spread(struct settings *s, struct workers *workers);

/* The worker's reference goes. */
void settings_end(struct worker *w);

#endif
