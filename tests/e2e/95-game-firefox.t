# Not under sanitizers.
# Long.
# 95-game.t once more, in Firefox.
use strict;
use warnings;
use Hub;
use Hub::Browser;

plan skip_all => 'HUB_TEST_LONG=1 runs it, too: some minutes more' unless $ENV{HUB_TEST_LONG};
Hub::Browser::again('95-game.t', HUB_TEST_BROWSER => 'firefox');
