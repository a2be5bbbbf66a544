# Not under sanitizers.
# 95-hubjs-browser.t once more, in Firefox.
use strict;
use warnings;
use Hub::Browser;

Hub::Browser::again('95-hubjs-browser.t', HUB_TEST_BROWSER => 'firefox');
