/* A hub up to its dialect: members (member_stub.h) whose peers speak hub7, a message a line. */
#ifndef HUBD_TEST_HUB_STUB_H
#define HUBD_TEST_HUB_STUB_H

#include <sodium.h>

#include "auth/resume.h"
#include "dialect/hub7.h"
#include "hubd/member_stub.h"

/* What is not set beforehand is generous. */
struct hub_stub {
	struct member_stub m; /* first: workers lead to it */
	struct hub7 hub7;
	unsigned char secret[RESUME_KEY_LEN];
	struct keys *keys;
};

static const struct door hub_stub_door = PEER_DOOR(&encoding_lines, &hub7_dialect);

static inline void hub_stub_start(struct hub_stub *st, unsigned workers, bool archive)
{
	st->keys = keys_default();
	randombytes_buf(st->secret, sizeof(st->secret));
	st->hub7.secret = st->secret;
	st->hub7.keys = st->keys;
	st->hub7.fields = hub7_fields();
	st->hub7.keeps = archive;
	st->m.s.env.run = st->hub7.run;
	stub_need(st->keys && st->hub7.fields, "out of memory");
	member_stub_start(&st->m, workers, archive);
	for (unsigned i = 0; i < workers; i++)
		stub_worker(&st->m, i)->hub7 = &st->hub7;
}

static inline void hub_stub_end(struct hub_stub *st)
{
	member_stub_end(&st->m);
	json_paths_free(st->hub7.fields);
	keys_free(st->keys);
}

static inline void hub_stub_open(struct hub_stub *st, struct peer *p, unsigned worker)
{
	peer_open(p, stub_worker(&st->m, worker), &hub_stub_door);
}

#endif
