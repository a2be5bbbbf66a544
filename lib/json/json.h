/* A strict JSON scanner: one pass, no allocation, RFC 8259 exactly (and RFC 3629 for its UTF-8).
 * It validates a text and finds wanted members by position; it builds no tree. */
#ifndef HUB_JSON_H
#define HUB_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_DEPTH_MAX 64 /* containers within each other; deeper is an error */
#define JSON_PATHS_MAX 64 /* paths in one set */

enum json_type {
	JSON_NONE, /* not found */
	JSON_NULL,
	JSON_FALSE,
	JSON_TRUE,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT,
};

/* Of a value, by its first character. */
enum json_type json_type_of(char c);

/* Where a wanted member stands. Offsets are in bytes from the start of the text. */
struct json_member {
	uint32_t name;	/* the opening quote of its name */
	uint32_t start; /* its value, quotes and brackets included: [start, end) */
	uint32_t end;
	uint8_t type;  /* enum json_type; JSON_NONE where the text has no such member */
	bool escaped;  /* a string with a backslash in it */
	bool repeated; /* the name occurs more than once; the positions are those of the last. For a
			* longer path also where the last object of a name on the way lacks the
			* member that one before it had: then type is JSON_NONE. */
};

enum json_status {
	JSON_OK,
	JSON_EMPTY,	 /* nothing but white space */
	JSON_TRUNCATED,	 /* the text ends before the value does */
	JSON_SYNTAX,	 /* an unexpected byte */
	JSON_BAD_NUMBER, /* RFC 8259 section 6 */
	JSON_BAD_ESCAPE, /* RFC 8259 section 7 */
	JSON_BAD_UTF8,
	JSON_CONTROL,  /* an unescaped control character in a string */
	JSON_TOO_DEEP, /* more than JSON_DEPTH_MAX */
	JSON_TRAILING, /* something behind the value */
};

/* What a scan says of the whole text. */
struct json_scan {
	enum json_status status;
	uint32_t at;	/* where the error is */
	uint32_t start; /* the value without the white space around it: [start, end) */
	uint32_t end;
	enum json_type type;
	bool newline; /* a line feed or carriage return as white space inside the value */
};

struct json_paths;

/* Compiles paths ("type", "data.object.name": names of members of objects within each other, from
 * the top; a dot always separates) for json_scan(). Returns a new set that json_paths_free() takes,
 * or NULL with errno ENOMEM, or EINVAL for an empty name or more than JSON_PATHS_MAX of them. A set
 * is immutable: threads may share it. */
struct json_paths *json_paths_new(const char *const *paths, size_t n);
void json_paths_free(struct json_paths *paths);

/* Validates text and fills members[i] for the i-th path (an array of the set's size, cleared
 * first). Names are compared as they read after unescaping. Where the text is refused, the members
 * that were complete before the error are given all the same. paths NULL only validates. Borrows
 * everything. A text over UINT32_MAX bytes is JSON_SYNTAX. Returns out->status. */
enum json_status json_scan(const struct json_paths *paths, const char *text, size_t len,
			   struct json_member *members, struct json_scan *out);

/* A few words for people, such as "unexpected byte". Never NULL. */
const char *json_strerror(enum json_status status);

/* Unescapes a string that json_scan() accepted: text points behind the opening quote, len bytes up
 * to the closing one. Writes at most cap bytes, no terminator. Returns the length, -ENOSPC, or
 * -EILSEQ for an escaped surrogate without its other half (valid JSON, but not Unicode text). */
int json_unescape(const char *text, size_t len, char *out, size_t cap);

#endif
