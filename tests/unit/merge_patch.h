/* Merge patches as another sees them: RFC 7396, section 2, over libjq's values. */
#ifndef HUB_TEST_MERGE_PATCH_H
#define HUB_TEST_MERGE_PATCH_H

#include <jv.h>
#include <stdbool.h>

#include "base/buf.h"

/* Takes both. */
static inline jv merge_patch(jv target, jv patch)
{
	if (jv_get_kind(patch) != JV_KIND_OBJECT) {
		jv_free(target);
		return patch;
	}
	if (jv_get_kind(target) != JV_KIND_OBJECT) {
		jv_free(target);
		target = jv_object();
	}
	jv_object_foreach(patch, name, value)
	{
		jv was;

		if (jv_get_kind(value) == JV_KIND_NULL) {
			jv_free(value);
			target = jv_object_delete(target, name);
			continue;
		}
		was = jv_object_get(jv_copy(target), jv_copy(name));
		target = jv_object_set(target, name, merge_patch(was, value));
	}
	jv_free(patch);
	return target;
}

/* Whether the patch makes `now` of `before`, but for the members in skip, which ends with NULL. */
static inline bool merge_patch_makes(const struct buf *before, const struct buf *patch,
				     const char *now, size_t len, const char *const *skip)
{
	jv made = merge_patch(jv_parse_sized(before->data, (int)before->len),
			      jv_parse_sized(patch->data, (int)patch->len));
	jv wanted = jv_parse_sized(now, (int)len);

	for (; skip && *skip; skip++) {
		made = jv_object_delete(made, jv_string(*skip));
		wanted = jv_object_delete(wanted, jv_string(*skip));
	}
	return jv_is_valid(made) && jv_equal(made, wanted);
}

#endif
