/* Compiles sets of paths: splits them into names and puts these into a trie, so that the scanner
 * compares a name only with the few that could stand in its place. A set never changes once it is
 * made. */
#include "json/json_paths.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static size_t count_names(const char *path)
{
	size_t n = 1;

	for (; (path = strchr(path, '.')); path++)
		n++;
	return n;
}

static bool well_formed(const char *path)
{
	size_t len = strlen(path);

	return len > 0 && path[0] != '.' && path[len - 1] != '.' && !strstr(path, "..");
}

/* The child of that name, made where there is none: behind its like, since callers name first what
 * they expect most. */
static struct json_node *child(struct json_paths *paths, struct json_node *in, const char *name,
			       size_t len)
{
	uint32_t *slot = &in->slot[json_slot((unsigned char)name[0])];
	struct json_node *node;
	uint64_t head = 0;

	for (; *slot; slot = &node->next) {
		node = &paths->nodes[*slot];
		if (node->len == len && memcmp(node->name, name, len) == 0)
			return node;
	}
	memcpy(&head, name, len < 8 ? len : 8);
	node = &paths->nodes[paths->nnodes];
	*node = (struct json_node){
	    .head = le64toh(head),
	    .name = name,
	    .len = len,
	    .up = (uint32_t)(in - paths->nodes),
	    .level = in->level + 1,
	    .path = -1,
	};
	*slot = paths->nnodes++;
	return node;
}

/* path lies in the set's own memory. */
static void add(struct json_paths *paths, const char *path, size_t index)
{
	struct json_node *node = paths->nodes;

	for (;;) {
		size_t len = strcspn(path, ".");

		node = child(paths, node, path, len);
		path += len;
		if (*path++ == '\0')
			break;
		node->below |= UINT64_C(1) << index;
	}
	if (node->path < 0)
		node->path = (int32_t)index;
	else
		paths->aliases = true;
	paths->same[index] = (uint8_t)node->path;
}

struct json_paths *json_paths_new(const char *const *list, size_t n)
{
	struct json_paths *paths;
	size_t bytes = 1, nodes = 1;
	char *name;

	if (n > JSON_PATHS_MAX)
		goto invalid;
	for (size_t i = 0; i < n; i++) {
		if (!well_formed(list[i]))
			goto invalid;
		bytes += strlen(list[i]) + 1;
		nodes += count_names(list[i]);
	}
	if (nodes > UINT32_MAX)
		goto invalid;
	paths = calloc(1, sizeof(*paths) + nodes * sizeof(paths->nodes[0]));
	name = malloc(bytes);
	if (!paths || !name) {
		free(paths);
		free(name);
		errno = ENOMEM;
		return NULL;
	}
	paths->n = n;
	paths->names = name;
	paths->nnodes = 1;
	paths->nodes[0].level = 1;
	paths->nodes[0].path = -1;
	for (size_t i = 0; i < n; i++) {
		size_t size = strlen(list[i]) + 1;

		memcpy(name, list[i], size);
		add(paths, name, i);
		name += size;
	}
	return paths;

invalid:
	errno = EINVAL;
	return NULL;
}

void json_paths_free(struct json_paths *paths)
{
	if (!paths)
		return;
	free(paths->names);
	free(paths);
}

void json_paths_copy_aliases(const struct json_paths *paths, struct json_member *members)
{
	for (size_t i = 0; i < paths->n; i++)
		members[i] = members[paths->same[i]];
}
