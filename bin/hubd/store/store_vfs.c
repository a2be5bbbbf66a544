/* A way of SQLite's to files (sqlite.org/vfs.html) that differs from the usual one in how the
 * write-ahead log is written: SQLite writes each page in two pieces, some dozens for a commit; here
 * those that follow each other are gathered and leave together.
 *
 * For connections with synchronous=FULL only: there each commit syncs the log before anybody is
 * told of it, and so nobody else looks for what is still here. Invariant: what is gathered is
 * younger than all that the file has, and leaves before anything else is done with the file. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "store/store_impl.h"

/* All that the usual way writes at once: of a length it looks at 17 bits (os_unix.c of SQLite). */
#define GATHERED ((size_t)0x1ffff)

/* SQLite makes room for it, with the usual file behind it. */
struct gathering {
	sqlite3_file file; /* first */
	char *data;
	size_t len;
	sqlite3_int64 at; /* of data, in the file */
};

static sqlite3_vfs *usual;

static sqlite3_file *file_of(sqlite3_file *f)
{
	return (sqlite3_file *)((struct gathering *)f + 1);
}

/* What cannot be written is not kept: its commit fails, and what comes later writes it anew. */
static int leave(struct gathering *g)
{
	size_t len = g->len;
	sqlite3_file *to = file_of(&g->file);

	g->len = 0;
	return len ? to->pMethods->xWrite(to, g->data, (int)len, g->at) : SQLITE_OK;
}

static int on_write(sqlite3_file *f, const void *data, int n, sqlite3_int64 at)
{
	struct gathering *g = (struct gathering *)f;
	size_t len = (size_t)n;
	int r = SQLITE_OK;

	if (g->len && (at != g->at + (sqlite3_int64)g->len || len > GATHERED - g->len))
		r = leave(g);
	if (r != SQLITE_OK)
		return r;
	if (len > GATHERED)
		return file_of(f)->pMethods->xWrite(file_of(f), data, n, at);
	if (!g->data && !(g->data = malloc(GATHERED)))
		return SQLITE_IOERR_NOMEM;
	if (!g->len)
		g->at = at;
	memcpy(g->data + g->len, data, len);
	g->len += len;
	return SQLITE_OK;
}

static int on_close(sqlite3_file *f)
{
	struct gathering *g = (struct gathering *)f;
	int left = leave(g), r = file_of(f)->pMethods->xClose(file_of(f));

	free(g->data);
	return left != SQLITE_OK ? left : r;
}

/* All others: once what is gathered has left. */
#define AFTERWARDS(f, call)                                               \
	do {                                                              \
		int r_ = leave((struct gathering *)(f));                  \
		return r_ != SQLITE_OK ? r_ : file_of(f)->pMethods->call; \
	} while (0)

static int on_read(sqlite3_file *f, void *data, int n, sqlite3_int64 at)
{
	AFTERWARDS(f, xRead(file_of(f), data, n, at));
}

static int on_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	AFTERWARDS(f, xTruncate(file_of(f), size));
}

static int on_sync(sqlite3_file *f, int flags)
{
	AFTERWARDS(f, xSync(file_of(f), flags));
}

static int on_size(sqlite3_file *f, sqlite3_int64 *size)
{
	AFTERWARDS(f, xFileSize(file_of(f), size));
}

static int on_control(sqlite3_file *f, int op, void *arg)
{
	AFTERWARDS(f, xFileControl(file_of(f), op, arg));
}

/* SQLite locks its database, not the log of it. */
static int on_lock(sqlite3_file *f, int how)
{
	return file_of(f)->pMethods->xLock(file_of(f), how);
}

static int on_unlock(sqlite3_file *f, int how)
{
	return file_of(f)->pMethods->xUnlock(file_of(f), how);
}

static int on_is_locked(sqlite3_file *f, int *is)
{
	return file_of(f)->pMethods->xCheckReservedLock(file_of(f), is);
}

static int on_sector(sqlite3_file *f)
{
	return file_of(f)->pMethods->xSectorSize(file_of(f));
}

static int on_device(sqlite3_file *f)
{
	return file_of(f)->pMethods->xDeviceCharacteristics(file_of(f));
}

static int on_open(sqlite3_vfs *v, const char *name, sqlite3_file *f, int flags, int *given)
{
	static const sqlite3_io_methods methods = {
	    .iVersion = 1,
	    .xClose = on_close,
	    .xRead = on_read,
	    .xWrite = on_write,
	    .xTruncate = on_truncate,
	    .xSync = on_sync,
	    .xFileSize = on_size,
	    .xLock = on_lock,
	    .xUnlock = on_unlock,
	    .xCheckReservedLock = on_is_locked,
	    .xFileControl = on_control,
	    .xSectorSize = on_sector,
	    .xDeviceCharacteristics = on_device,
	};
	struct gathering *g = (struct gathering *)f;
	int r;

	(void)v;
	if (!(flags & SQLITE_OPEN_WAL))
		return usual->xOpen(usual, name, f, flags, given);
	*g = (struct gathering){0};
	r = usual->xOpen(usual, name, file_of(f), flags, given);
	/* Without methods it is not closed. */
	if (r == SQLITE_OK)
		g->file.pMethods = &methods;
	return r;
}

static sqlite3_vfs gathers;

static void make(void)
{
	usual = sqlite3_vfs_find(NULL);
	if (!usual)
		return;
	gathers = *usual;
	gathers.zName = "hub";
	gathers.szOsFile += (int)sizeof(struct gathering);
	gathers.xOpen = on_open;
	sqlite3_vfs_register(&gathers, 0);
}

const char *store_vfs(enum store_sync sync)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make);
	return sync == STORE_SYNC_FULL && usual ? gathers.zName : NULL;
}
