/* The table of http1_chars.h. */
#include "wire/http1_chars.h"

/* clang-format off */
const unsigned char http1_class[256] = {
	[0x20] = /* each cell is the sum of the classes; what is not listed is in none */
	/*  !"#$%&'()*+,-./ */ 0, 15, 0, 1, 15, 15, 15, 15, 14, 14, 15, 15, 14, 15, 15, 6,
	/* 0123456789:;<=>? */ 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 6, 14, 0, 14, 0, 4,
	/* @ABCDEFGHIJKLMNO */ 6, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15,
	/* PQRSTUVWXYZ[\]^_ */ 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 6, 4, 6, 7, 15,
	/* `abcdefghijklmno */ 5, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15,
	/* pqrstuvwxyz{|}~ */ 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 4, 7, 4, 15, 0,
};
/* clang-format on */
