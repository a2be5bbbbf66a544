# One thread.
# hubcat(1): its examples run as printed, and it says what --help says.
use strict;
use warnings;
use Hub;

my $page = slurp(root() . '/man/hubcat.1');
my $help = run([ 'hubcat', '--help' ])->{out};

my ($usage) = $help =~ /^usage: hubcat (.*)$/m;
my ($synopsis) = $page =~ /^\.Sh SYNOPSIS\n(.*?)^\.Sh/ms;
my @words;
for my $line (split /\n/, $synopsis) {
	next if $line =~ /^\.Nm/;
	$line =~ s/^\.(Op )?//;
	my $option = $1;
	$line =~ s/Fl (\S+)/-$1/g;
	$line =~ s/Ar //g;
	push @words, $option ? "[$line]" : $line;
}
is(join(' ', @words), $usage, 'SYNOPSIS is the usage line');

my %in_help = map { $_ => 1 } $help =~ /(--[a-z-]+)/g;
my %in_page = map { ("--$_" => 1) } $page =~ /^\.It Fl (?:\w , )?-([a-z-]+)/mg;
is_deeply([ sort keys %in_page ], [ sort keys %in_help ], 'the same options');

my $lint = eval { run([ 'mandoc', '-Tlint', root() . '/man/hubcat.1' ]) };
SKIP: {
	skip 'no mandoc', 1 if !$lint || $lint->{status} == 127;
	# Pages that are not installed here are no fault of this one.
	my @lint = grep { !/referenced manual not found|mandoc\.db/ } split /^/, $lint->{out} . $lint->{err};
	is("@lint", '', 'no lint');
}

my $hub = Hub->start;
my ($examples) = $page =~ /^\.Sh EXAMPLES\n(.*?)^\.Sh/ms;
my $build = (grep { -x "$_/hubcat" } $ENV{HUB_BUILD} // (), root() . '/build')[0];
my @examples = $examples =~ /^\.Bd -literal[^\n]*\n\$ (.*?)^\.Ed/msg;
cmp_ok(scalar @examples, '>', 5, 'examples');
for my $example (@examples) {
	$example =~ s/\\e/\\/g;
	# The command goes on while its lines are indented; then stands its output.
	my ($command, $output) = $example =~ /\A([^\n]*\n(?:    [^\n]*\n)*)(.*)\z/s;
	chomp $command;
	my $r = run([ 'sh', '-c', $command ],
		env => { HUB_URL => "unix:$hub->{socket}", PATH => "$build:$ENV{PATH}" });
	is($r->{status}, 0, $command);
	is($r->{out}, $output, 'prints what the page says');
	is($r->{err} =~ s/^hubcat: gave up: nothing for 0\.5 s\n//r, '', 'without complaint');
}

$hub->stop;
done_testing;
