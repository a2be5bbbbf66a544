# Not under sanitizers.
# Long.
# The same as 95-game.t, with two hubs and a Redis between them.
use strict;
use warnings;
use FindBin;

$ENV{HUB_TEST_BUS} = 1;
do("$FindBin::Bin/95-game.t") or die $@ || $!;
