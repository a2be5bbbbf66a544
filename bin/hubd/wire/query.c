#include "wire/query.h"

#include <string.h>

bool query_next(struct http1_span *query, struct http1_span *name, struct http1_span *value)
{
	const char *end;

	while (query->len && *query->p == '&')
		query->p++, query->len--;
	if (!query->len)
		return false;
	end = memchr(query->p, '&', query->len);
	*name = (struct http1_span){query->p, end ? (size_t)(end - query->p) : query->len};
	query->p += name->len;
	query->len -= name->len;
	end = memchr(name->p, '=', name->len);
	*value = (struct http1_span){name->p + name->len, 0};
	if (end) {
		*value = (struct http1_span){end + 1, name->len - (size_t)(end - name->p) - 1};
		name->len = (size_t)(end - name->p);
	}
	return true;
}
