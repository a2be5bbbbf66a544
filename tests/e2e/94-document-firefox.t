# Not under sanitizers.
# 94-document.t once more, in Firefox.
use strict;
use warnings;
use Hub;
use Hub::Browser;

plan skip_all => 'HUB_TEST_LONG=1 runs it, too: some minutes more' unless $ENV{HUB_TEST_LONG};
Hub::Browser::again('94-document.t', HUB_TEST_BROWSER => 'firefox');
