#!/usr/bin/env perl
# The house: no room calls a room that is not below it, and no files of a room call each other in a circle
# (tests/rooms). Not under sanitizers, which add calls of their own.
use strict;
use warnings;

use File::Basename qw(dirname);
use Test::More tests => 1;

my $said = `@{[dirname($0)]}/../check-rooms calls $ENV{HUB_BUILD} 2>&1`;
is $said, "ok\n", 'only downwards';
