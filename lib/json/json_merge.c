#include "json/json_merge.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "json/json_walk.h"

struct members {
	struct json_item at[2 * JSON_MERGE_MEMBERS]; /* a patch may drop all, and set as many */
	size_t n;
};

static struct json_item *find(struct members *m, const struct json_item *item)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->at[i].name_len == item->name_len &&
		    memcmp(m->at[i].name, item->name, item->name_len) == 0)
			return &m->at[i];
	return NULL;
}

static bool is_one_of(const struct json_item *item, const char *const *names)
{
	for (; names && *names; names++)
		if (strlen(*names) == item->name_len &&
		    memcmp(*names, item->name, item->name_len) == 0)
			return true;
	return false;
}

/* Returns 0 or -EINVAL. */
static int collect(struct members *m, const char *text, size_t len, size_t max,
		   const char *const *skip)
{
	struct json_walk walk;
	struct json_item item;

	m->n = 0;
	json_walk_begin(&walk, text, len);
	while (json_walk_next(&walk, &item)) {
		if (item.name_escaped || m->n == max || find(m, &item))
			return -EINVAL;
		if (!is_one_of(&item, skip))
			m->at[m->n++] = item;
	}
	return 0;
}

static int put(struct buf *out, size_t start, const struct json_item *item, const char *value,
	       size_t len)
{
	int r = buf_puts(out, out->len > start ? ",\"" : "\"");

	if (r == 0)
		r = buf_put(out, item->name, item->name_len);
	if (r == 0)
		r = buf_puts(out, "\":");
	return r == 0 ? buf_put(out, value, len) : r;
}

/* Of a member that both have, with another value. */
static int put_change(struct buf *out, size_t start, const struct json_item *before,
		      const struct json_item *now)
{
	bool deeper = before && before->type == JSON_OBJECT && now->type == JSON_OBJECT;
	size_t here = out->len, inside;
	int r;

	/* In an object null means that there is no such member. */
	if (now->type == JSON_NULL ||
	    (!deeper && now->type == JSON_OBJECT && memmem(now->value, now->len, "null", 4)))
		return -EINVAL;
	if (!deeper)
		return put(out, start, now, now->value, now->len);
	r = put(out, start, now, "{", 1);
	inside = out->len;
	if (r == 0)
		r = json_merge_diff(out, before->value, before->len, now->value, now->len, NULL);
	if (r == 0 && out->len == inside)
		out->len = here; /* it is the same but for how it is written */
	else if (r == 0)
		r = buf_puts(out, "}");
	return r;
}

int json_merge_diff(struct buf *out, const char *before, size_t before_len, const char *now,
		    size_t now_len, const char *const *skip)
{
	struct members a, b;
	size_t start = out->len;
	int r = collect(&a, before, before_len, JSON_MERGE_MEMBERS, skip);

	if (r == 0)
		r = collect(&b, now, now_len, JSON_MERGE_MEMBERS, skip);
	for (size_t i = 0; r == 0 && i < b.n; i++) {
		const struct json_item *was = find(&a, &b.at[i]);

		if (!was || was->len != b.at[i].len ||
		    memcmp(was->value, b.at[i].value, was->len) != 0)
			r = put_change(out, start, was, &b.at[i]);
	}
	for (size_t i = 0; r == 0 && i < a.n; i++)
		if (!find(&b, &a.at[i]))
			r = put(out, start, &a.at[i], "null", 4);
	return r;
}

/* Appends a member as the patch makes it; was is that of the target, or NULL. */
static int put_patched(struct buf *out, size_t start, const struct json_item *was,
		       const struct json_item *patch)
{
	bool deeper = was && was->type == JSON_OBJECT;
	int r;

	if (patch->type == JSON_NULL)
		return 0;
	if (patch->type != JSON_OBJECT)
		return put(out, start, patch, patch->value, patch->len);
	r = put(out, start, patch, "", 0);
	return r == 0 ? json_merge_apply(out, deeper ? was->value : "{}", deeper ? was->len : 2,
					 patch->value, patch->len, NULL)
		      : r;
}

/* Appends those that the target does not have. */
static int put_new(struct buf *out, size_t start, struct members *target,
		   const struct members *patch)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < patch->n; i++)
		if (!find(target, &patch->at[i]))
			r = put_patched(out, start, NULL, &patch->at[i]);
	return r;
}

int json_merge_apply(struct buf *out, const char *target, size_t target_len, const char *patch,
		     size_t patch_len, const char *const *last)
{
	struct members a, b;
	int r = collect(&a, target, target_len, 2 * JSON_MERGE_MEMBERS, NULL);
	bool all = false; /* what is new is there */
	size_t start;

	if (r == 0)
		r = collect(&b, patch, patch_len, 2 * JSON_MERGE_MEMBERS, NULL);
	if (r == 0)
		r = buf_puts(out, "{");
	start = out->len;
	for (size_t i = 0; r == 0 && i < a.n; i++) {
		const struct json_item *with = find(&b, &a.at[i]);

		if (!all && is_one_of(&a.at[i], last)) {
			all = true;
			r = put_new(out, start, &a, &b);
		}
		if (r == 0 && with)
			r = put_patched(out, start, &a.at[i], with);
		else if (r == 0)
			r = put(out, start, &a.at[i], a.at[i].value, a.at[i].len);
	}
	if (r == 0 && !all)
		r = put_new(out, start, &a, &b);
	return r == 0 ? buf_puts(out, "}") : r;
}
