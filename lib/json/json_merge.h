/* What has changed between two objects, as a JSON merge patch (RFC 7396). Pure. */
#ifndef HUB_JSON_MERGE_H
#define HUB_JSON_MERGE_H

#include <stddef.h>

#include "base/buf.h"

#define JSON_MERGE_MEMBERS 64 /* of one object, at most */

/* Appends the members of the patch that makes `now` of `before`, with commas between and without
 * the braces: both are objects that json_scan() accepted, without white space around them. The
 * names in skip, which ends with NULL, are left out at the top. Returns 0, -ENOMEM, or -EINVAL
 * where there is no such patch: `now` has a null, or one of them two members of one name, an escape
 * in a name, or too many members; then what was appended is of no use. */
int json_merge_diff(struct buf *out, const char *before, size_t before_len, const char *now,
		    size_t now_len, const char *const *skip);

/* Appends what such a patch makes of the object target: both are objects that json_scan() accepted,
 * without white space around them. Members keep their places; new ones stand before the first that
 * is of the names in last, which ends with NULL, or at the end. Returns 0, -ENOMEM, or -EINVAL
 * where one of them has an escape in a name, two members of one name, or more than twice
 * JSON_MERGE_MEMBERS; then what was appended is of no use. */
int json_merge_apply(struct buf *out, const char *target, size_t target_len, const char *patch,
		     size_t patch_len, const char *const *last);

#endif
