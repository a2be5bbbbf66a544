#include "json/keys.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json/json.h"

struct rule {
	char type[ENVELOPE_TYPE_MAX + 1]; /* one glob */
	size_t len;
	bool glob; /* has more than plain characters */
	enum key_rule does;
	int path; /* its index in paths, or -1 for the type alone */
};

struct keys {
	struct rule rule[KEYS_MAX];
	size_t n;
	char *path[KEYS_MAX];
	size_t npaths;
	struct json_paths *paths;
};

static const char default_table[] = "entity_created|entity_updated entity.id\n"
				    "entity_deleted entity.id delete\n"
				    "object_created|object_updated data.object.name\n"
				    "object_deleted data.object.name delete\n"
				    "avatar_position_update avatar_id\n"
				    "score_update|world_initialized|world_updated|game_state -\n";

static int find_path(struct keys *k, const char *path)
{
	size_t i;

	if (strcmp(path, "-") == 0)
		return -1;
	if (path[0] == '.' || path[strlen(path) - 1] == '.' || strstr(path, ".."))
		return -3;
	for (i = 0; i < k->npaths; i++)
		if (strcmp(k->path[i], path) == 0)
			return (int)i;
	k->path[i] = strdup(path);
	if (!k->path[i])
		return -2;
	return (int)k->npaths++;
}

static const char *add_rule(struct keys *k, const char *type, const char *path, const char *does)
{
	struct rule *r = &k->rule[k->n];

	if (k->n == KEYS_MAX)
		return "too many types";
	r->len = strlen(type);
	if (r->len < 1 || r->len > ENVELOPE_TYPE_MAX)
		return "a type has 1 to 64 bytes";
	memcpy(r->type, type, r->len + 1);
	r->glob = strpbrk(type, "*?[\\") != NULL;
	r->does = !does ? KEY_SET : strcmp(does, "own") == 0 ? KEY_OWN : KEY_DELETE;
	r->path = find_path(k, path);
	/* Those the hub adds or cuts: a record would have another key than its message. */
	if (strcmp(path, "from") == 0 || strcmp(path, "seq") == 0 ||
	    strcmp(path, "session_id") == 0 || strcmp(path, "timestamp") == 0)
		return "this field is the hub's and can be no key";
	if (r->path == -2)
		return "out of memory";
	if (r->path == -3)
		return "a path has an empty name";
	if (does && r->path == -1)
		return "delete and own need a path";
	k->n++;
	return NULL;
}

/* Adds what one line says. Returns NULL, or what is wrong with it. */
static const char *add_line(struct keys *k, char *line)
{
	char *save, *types, *path, *last, *type;
	bool any = false;
	const char *wrong;

	line[strcspn(line, "#\r\n")] = '\0';
	types = strtok_r(line, " \t", &save);
	if (!types)
		return NULL;
	path = strtok_r(NULL, " \t", &save);
	last = strtok_r(NULL, " \t", &save);
	if (!path)
		return "a path is missing (- for none)";
	if ((last && strcmp(last, "delete") != 0 && strcmp(last, "own") != 0) ||
	    strtok_r(NULL, " \t", &save))
		return "only `delete` or `own` may follow the path";
	for (type = strtok_r(types, "|", &save); type; type = strtok_r(NULL, "|", &save)) {
		wrong = add_rule(k, type, path, last);
		if (wrong)
			return wrong;
		any = true;
	}
	return any ? NULL : "a type is missing";
}

/* Reads the whole table. Takes in. */
static struct keys *keys_read(FILE *in, const char *name, char *why, size_t cap)
{
	struct keys *k = calloc(1, sizeof(*k));
	const char *wrong = k ? NULL : "out of memory";
	char line[1024];
	unsigned n = 0;

	while (!wrong && fgets(line, sizeof(line), in)) {
		n++;
		wrong = strlen(line) == sizeof(line) - 1 && line[sizeof(line) - 2] != '\n'
			    ? "the line is too long"
			    : add_line(k, line);
	}
	if (!wrong && ferror(in))
		wrong = strerror(errno);
	if (!wrong) {
		k->paths = json_paths_new((const char *const *)k->path, k->npaths);
		if (!k->paths)
			wrong = "out of memory";
	}
	fclose(in);
	if (wrong) {
		snprintf(why, cap, "%s:%u: %s", name, n, wrong);
		keys_free(k);
		return NULL;
	}
	return k;
}

struct keys *keys_default(void)
{
	FILE *in = fmemopen((void *)(uintptr_t)default_table, sizeof(default_table) - 1, "r");
	char why[64];

	return in ? keys_read(in, "built-in", why, sizeof(why)) : NULL;
}

struct keys *keys_load(const char *file, char *why, size_t cap)
{
	FILE *in = fopen(file, "re");

	if (!in) {
		snprintf(why, cap, "%s: %s", file, strerror(errno));
		return NULL;
	}
	return keys_read(in, file, why, cap);
}

void keys_free(struct keys *keys)
{
	size_t i;

	if (!keys)
		return;
	for (i = 0; i < keys->npaths; i++)
		free(keys->path[i]);
	json_paths_free(keys->paths);
	free(keys);
}

static const struct rule *match(const struct keys *keys, const struct envelope *e)
{
	char type[ENVELOPE_TYPE_MAX + 1];
	size_t i;

	memcpy(type, e->type.p, e->type.len);
	type[e->type.len] = '\0';
	for (i = 0; i < keys->n; i++) {
		const struct rule *r = &keys->rule[i];

		if (r->glob ? fnmatch(r->type, type, 0) == 0
			    : r->len == e->type.len && memcmp(r->type, type, r->len) == 0)
			return r;
	}
	return NULL;
}

bool keys_value(struct span written, char room[ENVELOPE_KEY_MAX], struct span *key)
{
	int n;

	if (written.len && written.p[0] != '"') {
		*key = written;
		return written.len <= ENVELOPE_KEY_MAX;
	}
	if (written.len < 2)
		return false;
	*key = (struct span){written.p + 1, written.len - 2};
	if (!memchr(key->p, '\\', key->len))
		return key->len <= ENVELOPE_KEY_MAX;
	n = json_unescape(key->p, key->len, room, ENVELOPE_KEY_MAX);
	*key = (struct span){room, n > 0 ? (size_t)n : 0};
	return n >= 0;
}

static bool is_deleted(const struct envelope *e)
{
	return e->type.len == sizeof(KEYS_DELETED) - 1 &&
	       memcmp(e->type.p, KEYS_DELETED, sizeof(KEYS_DELETED) - 1) == 0;
}

enum key_rule keys_find(const struct keys *keys, const struct envelope *e,
			char room[ENVELOPE_KEY_MAX], struct span *key, struct span *written)
{
	const struct rule *r = match(keys, e);
	struct json_member members[KEYS_MAX];
	enum key_rule found = r ? r->does : KEY_SET;
	const struct json_member *m;
	struct json_scan scan;

	*written = e->key_written;
	if (is_deleted(e)) {
		*key = e->key;
		return e->key.p ? KEY_DELETE : KEY_NONE;
	}
	if (e->key.p) {
		*key = e->key;
		return found;
	}
	if (!r)
		return KEY_NONE;
	if (r->path < 0) {
		*key = (struct span){"", 0};
		return found;
	}
	json_scan(keys->paths, e->text, e->len, members, &scan);
	m = &members[r->path];
	if (m->type != JSON_STRING && m->type != JSON_NUMBER && m->type != JSON_TRUE &&
	    m->type != JSON_FALSE)
		return KEY_NONE;
	*written = (struct span){e->text + m->start, m->end - m->start};
	if (!keys_value(*written, room, key))
		return KEY_BAD;
	return key->len ? found : KEY_NONE; /* no key is empty but that of a type alone */
}
