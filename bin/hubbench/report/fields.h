/* The figures of a result that are one value each, in one table, from which the JSON is written and
 * read. */
#ifndef HUBBENCH_FIELDS_H
#define HUBBENCH_FIELDS_H

#include <stddef.h>

enum field_kind {
	FIELD_U64,
	FIELD_UNSIGNED,
	FIELD_DOUBLE,
	FIELD_BOOL,
	FIELD_STRING,  /* char *, NULL where there is none */
	FIELD_CHARS,   /* an array of size bytes, in place */
	FIELD_VERDICT, /* by its name */
};

struct field {
	const char *name; /* NULL: the end */
	enum field_kind kind;
	size_t offset, size;
};

/* An object within the result; without a name, the members of the result itself. */
struct field_section {
	const char *name;
	const struct field *fields;
};

extern const struct field_section field_sections[]; /* of struct result; ends without fields */
extern const struct field field_second[];	    /* of struct result_second */
extern const struct field field_trial[];	    /* of struct result_trial */
extern const struct field field_check[];	    /* of struct result_check */

#endif
