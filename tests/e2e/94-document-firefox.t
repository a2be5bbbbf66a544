# Not under sanitizers.
# 94-document.t once more, in Firefox.
use strict;
use warnings;
use Hub::Browser;

Hub::Browser::again('94-document.t', HUB_TEST_BROWSER => 'firefox');
