#include "err.h"
#include "hubreplay.h"

int cut_main(int argc, char **argv)
{
	(void)argc;
	err_die(EX_SOFTWARE, "%s: not in this build", argv[0]);
}
