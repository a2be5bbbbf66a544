# Not under sanitizers.
# The same as 95-hubjs-tabs.t, in Firefox.
use strict;
use warnings;
use File::Basename qw(dirname);

$ENV{HUB_TEST_BROWSER} = 'firefox';
do(dirname(__FILE__) . '/95-hubjs-tabs.t') or die $@ || $!;
