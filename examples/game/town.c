#include "town.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const struct {
	int x, y, w, h;
} houses[] = {
    {180, 140, 220, 150}, {520, 110, 160, 190}, {860, 150, 260, 120},  {1260, 120, 170, 200},
    {130, 420, 160, 180}, {460, 440, 240, 140}, {1010, 400, 170, 190}, {1310, 460, 190, 150},
    {250, 690, 240, 120}, {680, 690, 190, 130}, {1060, 710, 260, 110},
};
enum { HOUSES = sizeof(houses) / sizeof(*houses) };

bool town_near(struct place a, struct place b)
{
	return a.x - b.x < TOWN_REACH && b.x - a.x < TOWN_REACH && a.y - b.y < TOWN_REACH &&
	       b.y - a.y < TOWN_REACH;
}

bool town_blocked(struct place p)
{
	if (p.x < TOWN_REACH || p.y < TOWN_REACH || p.x > TOWN_WIDTH - TOWN_REACH ||
	    p.y > TOWN_HEIGHT - TOWN_REACH)
		return true;
	for (int i = 0; i < HOUSES; i++)
		if (p.x > houses[i].x - TOWN_REACH &&
		    p.x < houses[i].x + houses[i].w + TOWN_REACH &&
		    p.y > houses[i].y - TOWN_REACH && p.y < houses[i].y + houses[i].h + TOWN_REACH)
			return true;
	return false;
}

struct place town_anywhere(void)
{
	struct place p;

	do
		p = (struct place){rand() % TOWN_WIDTH, rand() % TOWN_HEIGHT};
	while (town_blocked(p));
	return p;
}

void town_tell(void)
{
	printf("{\"type\":\"game_map\",\"key\":\"map\",\"width\":%d,\"height\":%d,\"houses\":[",
	       TOWN_WIDTH, TOWN_HEIGHT);
	for (int i = 0; i < HOUSES; i++)
		printf("%s[%d,%d,%d,%d]", i ? "," : "", houses[i].x, houses[i].y, houses[i].w,
		       houses[i].h);
	puts("]}");
}

int64_t town_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}
