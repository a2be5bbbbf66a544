# Not under sanitizers.
# The same as 95-hubjs-tabs.t, in Firefox.
use strict;
use warnings;
use FindBin;

$ENV{HUB_TEST_BROWSER} = 'firefox';
do("$FindBin::Bin/95-hubjs-tabs.t") or die $@ || $!;
