# Not under sanitizers.
# Long.
# 95-world.t once more, in Firefox.
use strict;
use warnings;
use Hub::Browser;

Hub::Browser::again('95-world.t', HUB_TEST_BROWSER => 'firefox');
