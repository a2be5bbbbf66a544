#include "json/keys.h"

#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json/json.h"

struct types {
	char glob[ENVELOPE_TYPE_MAX + 1]; /* one */
	size_t len;
	bool plain; /* it is a type as it is */
};

struct rule {
	struct types types; /* first, here and below */
	enum key_rule does;
	int path; /* its index in paths, or -1 for the type alone */
};

/* Where the place of a record is. */
struct place_rule {
	struct types types;
	int x, y; /* indexes in paths */
	double size;
	unsigned grid;
};

struct keys {
	struct rule rule[KEYS_MAX];
	struct place_rule place[KEYS_AREAS_MAX];
	size_t n, nplaces;
	char *path[JSON_PATHS_MAX];
	size_t npaths;
	struct json_paths *paths;
	const struct area_grids *grids;
};

static const char default_table[] = "entity_created|entity_updated entity.id\n"
				    "entity_deleted entity.id delete\n"
				    "object_created|object_updated data.object.name\n"
				    "object_deleted data.object.name delete\n"
				    "avatar_position_update avatar_id\n"
				    "score_update|world_initialized|world_updated|game_state -\n";

/* An index in paths, or -1 for the type alone; NULL, or what is wrong. */
static const char *find_path(struct keys *k, const char *path, int *out)
{
	size_t i;

	*out = -1;
	if (strcmp(path, "-") == 0)
		return NULL;
	if (!*path || path[0] == '.' || path[strlen(path) - 1] == '.' || strstr(path, ".."))
		return "a path has an empty name";
	for (i = 0; i < k->npaths && strcmp(k->path[i], path) != 0; i++)
		;
	*out = (int)i;
	if (i < k->npaths)
		return NULL;
	if (i == JSON_PATHS_MAX)
		return "too many paths";
	k->path[i] = strdup(path);
	if (!k->path[i])
		return "out of memory";
	k->npaths++;
	return NULL;
}

static const char *read_types(const char *glob, struct types *out)
{
	out->len = strlen(glob);
	if (out->len < 1 || out->len > ENVELOPE_TYPE_MAX)
		return "a type has 1 to 64 bytes";
	memcpy(out->glob, glob, out->len + 1);
	out->plain = !strpbrk(glob, "*?[\\");
	return NULL;
}

static const char *add_rule(struct keys *k, const char *type, const char *path, const char *does)
{
	struct rule *r = &k->rule[k->n];
	const char *wrong;

	if (k->n == KEYS_MAX)
		return "too many types";
	wrong = read_types(type, &r->types);
	if (wrong)
		return wrong;
	r->does = !does ? KEY_SET : strcmp(does, "own") == 0 ? KEY_OWN : KEY_DELETE;
	/* Those the hub adds or cuts: a record would have another key than its message. */
	if (strcmp(path, "from") == 0 || strcmp(path, "seq") == 0 ||
	    strcmp(path, "session_id") == 0 || strcmp(path, "timestamp") == 0)
		return "this field is the hub's and can be no key";
	wrong = find_path(k, path, &r->path);
	if (wrong)
		return wrong;
	if (does && r->path == -1)
		return "delete and own need a path";
	k->n++;
	return NULL;
}

static const char *add_place(struct keys *k, const char *type, const char *x, const char *y,
			     const char *size)
{
	struct place_rule *r = &k->place[k->nplaces];
	const char *wrong;
	char *end;

	if (k->nplaces == KEYS_AREAS_MAX)
		return "too many areas";
	wrong = read_types(type, &r->types);
	if (!wrong)
		wrong = find_path(k, x, &r->x);
	if (!wrong)
		wrong = find_path(k, y, &r->y);
	if (wrong)
		return wrong;
	if (r->x < 0 || r->y < 0)
		return "a place has two paths";
	r->size = strtod(size, &end);
	if (end == size || *end || !isfinite(r->size) || r->size <= 0)
		return "the size of a cell is a number above 0";
	k->nplaces++;
	return NULL;
}

/* Of several types. */
static const char *add_places(struct keys *k, char *types, const char *x, const char *y,
			      const char *size)
{
	const char *wrong = NULL;
	char *save, *type = strtok_r(types, "|", &save);

	if (!type)
		return "a type is missing";
	for (; type && !wrong; type = strtok_r(NULL, "|", &save))
		wrong = add_place(k, type, x, y, size);
	return wrong;
}

/* What the rest of an `area` line says. */
static const char *add_area(struct keys *k, char *types, char *save)
{
	const char *x = strtok_r(NULL, " \t", &save), *y = strtok_r(NULL, " \t", &save);
	const char *size = strtok_r(NULL, " \t", &save);

	if (!size || strtok_r(NULL, " \t", &save))
		return "area is followed by types, two paths and the size of a cell";
	return add_places(k, types, x, y, size);
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
	/* A type may be called so, too; it has at most one word behind its path. */
	if (strcmp(types, "area") == 0 && path && save &&
	    strpbrk(save + strspn(save, " \t"), " \t"))
		return add_area(k, path, save);
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

static int compile(struct keys *k)
{
	json_paths_free(k->paths);
	k->paths = json_paths_new((const char *const *)k->path, k->npaths);
	return k->paths ? 0 : -ENOMEM;
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
	if (!wrong && compile(k) < 0)
		wrong = "out of memory";
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

const char *keys_add_area(struct keys *k, const char *text)
{
	char room[512], *save, *types, *x, *y, *size;
	const char *wrong;

	if (strlen(text) >= sizeof(room))
		return "it is too long";
	memcpy(room, text, strlen(text) + 1);
	types = strtok_r(room, "=", &save);
	x = strtok_r(NULL, ",", &save);
	y = strtok_r(NULL, ",", &save);
	size = strtok_r(NULL, ",", &save);
	if (!size || strtok_r(NULL, ",", &save))
		return "it is not TYPES=PATH,PATH,SIZE";
	wrong = add_places(k, types, x, y, size);
	return !wrong && compile(k) < 0 ? "out of memory" : wrong;
}

bool keys_have_areas(const struct keys *k)
{
	return k->nplaces > 0;
}

int keys_set_grids(struct keys *k, struct area_grids *grids)
{
	k->grids = grids;
	for (size_t i = 0; i < k->nplaces; i++) {
		int grid = area_grid(grids, k->place[i].size);

		if (grid < 0)
			return -E2BIG;
		k->place[i].grid = (unsigned)grid;
	}
	return 0;
}

/* The first of n rules, size bytes each with their types first, that is for a type, or NULL. */
static const void *match(const void *rules, size_t n, size_t size, struct span type)
{
	char text[ENVELOPE_TYPE_MAX + 1];

	if (!n || type.len > ENVELOPE_TYPE_MAX)
		return NULL;
	memcpy(text, type.p, type.len);
	text[type.len] = '\0';
	for (size_t i = 0; i < n; i++) {
		const struct types *t = (const void *)((const char *)rules + i * size);

		if (t->plain ? t->len == type.len && memcmp(t->glob, text, type.len) == 0
			     : fnmatch(t->glob, text, 0) == 0)
			return t;
	}
	return NULL;
}

static const struct place_rule *match_place(const struct keys *k, struct span type)
{
	return k->grids ? match(k->place, k->nplaces, sizeof(k->place[0]), type) : NULL;
}

/* The place must be two numbers. In the text they are followed by something that ends them. */
static uint32_t cell_at(const struct keys *k, const struct place_rule *r, const char *text,
			const struct json_member *m)
{
	if (m[r->x].type != JSON_NUMBER || m[r->y].type != JSON_NUMBER)
		return AREA_ANYWHERE;
	return area_cell(k->grids, r->grid, strtod(text + m[r->x].start, NULL),
			 strtod(text + m[r->y].start, NULL));
}

uint32_t keys_cell(const struct keys *k, struct span type, const char *text, size_t len)
{
	const struct place_rule *r = match_place(k, type);
	struct json_member members[JSON_PATHS_MAX];
	struct json_scan scan;

	if (!r)
		return AREA_ANYWHERE;
	/* The end may be missing. */
	json_scan(k->paths, text, len, members, &scan);
	return cell_at(k, r, text, members);
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
			char room[ENVELOPE_KEY_MAX], struct span *key, struct span *written,
			uint32_t *cell)
{
	const struct rule *r = match(keys->rule, keys->n, sizeof(keys->rule[0]), e->type);
	const struct place_rule *place = cell ? match_place(keys, e->type) : NULL;
	struct json_member members[JSON_PATHS_MAX];
	enum key_rule found = r ? r->does : KEY_SET;
	const struct json_member *m;
	struct json_scan scan;

	*written = e->key_written;
	if (cell)
		*cell = AREA_ANYWHERE;
	if (is_deleted(e)) {
		*key = e->key;
		return e->key.p ? KEY_DELETE : KEY_NONE;
	}
	if (place || (!e->key.p && r && r->path >= 0))
		json_scan(keys->paths, e->text, e->len, members, &scan);
	if (place)
		*cell = cell_at(keys, place, e->text, members);
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
	m = &members[r->path];
	if (m->type != JSON_STRING && m->type != JSON_NUMBER && m->type != JSON_TRUE &&
	    m->type != JSON_FALSE)
		return KEY_NONE;
	*written = (struct span){e->text + m->start, m->end - m->start};
	if (!keys_value(*written, room, key))
		return KEY_BAD;
	return key->len ? found : KEY_NONE; /* no key is empty but that of a type alone */
}
