# Not under sanitizers.
# Long.
# 95-game.t once more, with two hubs and a Redis between them.
use strict;
use warnings;
use Hub::Browser;

Hub::Browser::again('95-game.t', HUB_TEST_BUS => 1);
