# Not under sanitizers.
# 95-hubjs-browser.t once more, in Firefox.
use strict;
use warnings;
use Hub::Browser;

Hub::Browser::again(firefox => '95-hubjs-browser.t');
