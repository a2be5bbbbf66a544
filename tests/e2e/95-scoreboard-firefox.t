# Not under sanitizers.
# 95-scoreboard.t once more, in Firefox.
use strict;
use warnings;
use Hub::Browser;

Hub::Browser::again('95-scoreboard.t', HUB_TEST_BROWSER => 'firefox');
