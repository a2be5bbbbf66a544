/* What every record says stands behind what its sender said, and `seq` last; so it stays. */
#include "client/restore.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "json/json_merge.h"

enum { SESSION, TIMESTAMP, FROM, USER, SEQ, SAID };

static const char *const said[SAID + 1] = {"session_id", "timestamp", "from", "user", "seq", NULL};

void restore_free(struct restore *u)
{
	bases_clear(&u->bases);
	buf_free(&u->room[0]);
	buf_free(&u->room[1]);
	buf_free(&u->patch);
}

void restore_begin(struct restore *u)
{
	u->before = (struct span){NULL, 0};
}

/* Which of these members an object has; len 0: none. */
static void find_said(struct span object, struct json_item found[SAID])
{
	struct json_walk walk;
	struct json_item item;

	memset(found, 0, SAID * sizeof(*found));
	if (!object.len)
		return;
	json_walk_begin(&walk, object.p, object.len);
	while (json_walk_next(&walk, &item))
		for (int i = 0; i < SAID; i++)
			if (json_item_is(&item, said[i]))
				found[i] = item;
}

static int put_said(struct buf *out, int which, const struct json_item *before)
{
	int r = buf_printf(out, "\"%s\":", said[which]);

	if (r == 0)
		r = buf_put(out, before->value, before->len);
	return r == 0 ? buf_puts(out, ",") : r;
}

/* Puts back what a record does not say. The hub's own words have no seq. */
static int fill(struct restore *u, struct span *record)
{
	struct buf *out = &u->room[u->at ^ 1];
	struct json_item has[SAID], before[SAID];
	const char *tail;
	int r;

	find_said(*record, has);
	if (!has[SEQ].len)
		return 0;
	if (!u->before.len || (has[SESSION].len && has[TIMESTAMP].len && has[FROM].len)) {
		u->before = *record;
		return 0;
	}
	find_said(u->before, before);
	/* `from`, `user` and `seq` are the hub's, and stand last. */
	tail = (has[FROM].len ? has[FROM] : has[USER].len ? has[USER] : has[SEQ]).name - 1;
	out->len = 0;
	r = buf_put(out, record->p, (size_t)(tail - record->p));
	for (int i = SESSION; r == 0 && i <= FROM; i++)
		if (!has[i].len && before[i].len)
			r = put_said(out, i, &before[i]);
	if (r == 0)
		r = buf_put(out, tail, (size_t)(record->p + record->len - tail));
	*record = u->before = (struct span){out->data, out->len};
	u->at ^= 1;
	return r;
}

/* [SEQ,PATCH] */
static int read_patch(const struct json_item *item, uint64_t *seq, struct span *patch)
{
	struct json_walk walk;
	struct json_item of, what;

	json_walk_begin(&walk, item->value, item->len);
	if (!json_walk_next(&walk, &of) || of.type != JSON_NUMBER ||
	    !json_walk_next(&walk, &what) || what.type != JSON_OBJECT)
		return -ENOENT;
	*seq = strtoull(of.value, NULL, 10);
	*patch = (struct span){what.value, what.len};
	return 0;
}

/* The same patch with the time of the record before. */
static int put_time(struct restore *u, struct span *patch)
{
	struct json_item before[SAID];
	struct buf *out = &u->patch;
	int r;

	find_said(u->before, before);
	if (!before[TIMESTAMP].len)
		return 0;
	out->len = 0;
	r = buf_puts(out, "{");
	if (r == 0)
		r = put_said(out, TIMESTAMP, &before[TIMESTAMP]);
	if (r == 0)
		r = buf_put(out, patch->p + 1, patch->len - 1);
	*patch = (struct span){out->data, out->len};
	return r;
}

static int apply(struct restore *u, const struct json_item *item, struct span *out)
{
	struct buf *made = &u->room[u->at ^ 1];
	struct json_item has[SAID];
	struct span patch, text;
	struct base *base;
	uint64_t of;
	int r = read_patch(item, &of, &patch);

	base = r == 0 ? bases_find(&u->bases, of) : NULL;
	if (!base)
		return -ENOENT;
	find_said(patch, has);
	if (!has[TIMESTAMP].len)
		r = put_time(u, &patch);
	text = bases_text(base);
	made->len = 0;
	if (r == 0)
		r = json_merge_apply(made, text.p, text.len, patch.p, patch.len, said);
	if (r < 0 || !has[SEQ].len)
		return r == -ENOMEM ? r : -ENOENT;
	*out = u->before = (struct span){made->data, made->len};
	u->at ^= 1;
	return bases_change(&u->bases, base, *out, strtoull(has[SEQ].value, NULL, 10));
}

int restore_next(struct restore *u, const struct json_item *item, struct span *out)
{
	*out = (struct span){item->value, item->len};
	if (item->type == JSON_ARRAY)
		return apply(u, item, out);
	return u->compact && item->type == JSON_OBJECT ? fill(u, out) : 0;
}
