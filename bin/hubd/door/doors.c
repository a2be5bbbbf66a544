#include "door/doors.h"

#include <errno.h>

#include "door/unix.h"
#include "door/ws.h"

int doors_start(struct worker *w)
{
	w->doors->ws = ws_new(w);
	return w->doors->ws && ws_usable(w->doors->ws) ? 0 : -EINVAL;
}

void doors_read_on(struct worker *w)
{
	ws_read_more(w->doors->ws);
}

void doors_second(struct worker *w)
{
	ws_tick(w->doors->ws);
}

void doors_stop(struct worker *w)
{
	if (w->doors->ws)
		ws_stop(w->doors->ws);
}

void doors_free(struct worker *w)
{
	ws_free(w->doors->ws);
	w->doors->ws = NULL;
}

void doors_adopt(struct worker *w, int fd, bool local, uint32_t born)
{
	if (local)
		unix_adopt(w, fd, born);
	else
		ws_adopt(w->doors->ws, fd, born);
}
