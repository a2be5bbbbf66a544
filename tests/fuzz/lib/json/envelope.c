/* Any bytes: a message that is accepted becomes a record that is accepted, with the hub's fields in
 * it once and the receivers within their limits. */
#undef NDEBUG
#include "json/envelope.h"

#include <assert.h>
#include <string.h>

#include "json/terms.h"

static const char *const list[] = {"from", "seq", "session_id", "timestamp", "type"};
#define NPATHS (sizeof(list) / sizeof(list[0]))

static void check_receiver(struct span id, void *arg)
{
	unsigned *n = arg;

	assert(id.p && id.len >= 1 && id.len <= 256);
	assert(++*n <= ENVELOPE_TO_MAX);
}

static void check_fields(const struct envelope *e)
{
	unsigned n = 0;
	char why[64];

	assert(e->type.p && e->type.len >= 1 && e->type.len <= ENVELOPE_TYPE_MAX);
	assert(!e->session_id.p || envelope_session_id_ok(e->session_id.p, e->session_id.len));
	assert(!e->key.p || (e->key.len >= 1 && e->key.len <= ENVELOPE_KEY_MAX));
	if (e->to.p)
		assert((envelope_to(e, check_receiver, &n, why, sizeof(why)) == HUB_OK) == (n > 0));
}

static void check_record(const struct envelope *e)
{
	static const struct span session = {"S", 1}, from = {"0123456789a", 11};
	struct json_paths *paths = json_paths_new(list, NPATHS);
	struct json_member m[NPATHS];
	struct json_scan scan;
	struct buf out = {0};

	assert(paths);
	assert(envelope_record(e, &out, session, 1700000000000, from, (struct span){NULL, 0}) == 0);
	assert(buf_puts(&out, ",\"seq\":1}") == 0);
	assert(json_scan(paths, out.data, out.len, m, &scan) == JSON_OK);
	for (size_t i = 0; i < NPATHS; i++)
		assert(m[i].type != JSON_NONE && !m[i].repeated);
	assert(m[0].end - m[0].start == 13 &&
	       memcmp(out.data + m[0].start, "\"0123456789a\"", 13) == 0);
	assert(m[1].end - m[1].start == 1 && out.data[m[1].start] == '1');
	assert(!memchr(out.data, '\n', out.len) && !memchr(out.data, '\r', out.len));
	json_paths_free(paths);
	buf_free(&out);
}

static void check_terms(const struct envelope *e)
{
	struct terms t = {0};
	const char *why = NULL;
	enum hub_code code = terms_read(e, 5, &t, &why);

	assert(code == HUB_OK || (code == HUB_BAD_FIELD && why[0]));
	assert(code != HUB_OK || e->has_terms || !t.any);
	assert(t.ttl_ms <= (uint64_t)(TERMS_TTL_MAX * 1000));
	assert(code != HUB_OK || terms_ttl_ms(e->text, e->len) == t.ttl_ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct envelope e;
	char why[160] = "";
	enum hub_code code = envelope_parse(&e, (const char *)data, size, why, sizeof(why));

	assert(!e.msg_id.p || (e.msg_id.p[0] == '"' && e.msg_id.p[e.msg_id.len - 1] == '"'));
	if (code != HUB_OK) {
		assert(why[0] && memchr(why, '\0', sizeof(why)));
		return 0;
	}
	check_fields(&e);
	check_record(&e);
	check_terms(&e);
	return 0;
}
