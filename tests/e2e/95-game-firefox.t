# Not under sanitizers.
# Long.
# The same as 95-game.t, in Firefox.
use strict;
use warnings;
use FindBin;

$ENV{HUB_TEST_BROWSER} = 'firefox';
do("$FindBin::Bin/95-game.t") or die $@ || $!;
