/* What few seats have: made by the first that wants some of it, freed with the seat. */
#include <stdlib.h>

#include "member/member.h"

struct seat_more *seat_more(struct seat *seat)
{
	if (!seat->more)
		seat->more = calloc(1, sizeof(*seat->more));
	return seat->more;
}
