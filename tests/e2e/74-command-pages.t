# Not under sanitizers.
# The pages of programs with commands: synopsis, options and examples are those of the programs.
use strict;
use warnings;
use Hub;
use Hub::Pages;

for my $program ('hubreplay', 'hubtoken') {
	my $page = root() . "/man/$program.1";
	my $source = slurp($page);
	my $text = run([ 'mandoc', '-T', 'ascii', $page ])->{out} =~ s/.\x08//gr;
	my ($synopsis) = $text =~ /^SYNOPSIS\n(.*?)^(?:QUICK START|DESCRIPTION)/ms;
	$synopsis =~ s/\s+/ /g;
	my @commands = run([ $program, '--help' ])->{out} =~ /^  (\w+) /mg;
	is_deeply([ $source =~ /^\.Nm\n\.Cm (\w+)$/mg ], \@commands, "$program: the commands, in their order");

	my $lint = run([ 'mandoc', '-T', 'lint', '-W', 'warning', $page ]);
	is($lint->{out} . $lint->{err}, '', 'mandoc finds nothing');

	for my $command (@commands) {
		my $help = run([ $program, $command, '--help' ])->{out};
		my ($usage) = $help =~ /^usage: ($program .*)$/m;
		my ($of) = $synopsis =~ /($program $command\b.*?)(?= $program | ?\z)/;
		is($of, $usage, "$command: the usage");
		my ($section) = $source =~ /^\.Ss $command\n(.*?)^\.S[sh]/ms;
		my @documented = $section =~ /^\.It Fl (?:\w , )?-([a-z-]+)/mg;
		my @options = grep { !/^(?:help|version)$/ } $help =~ /^ +(?:-\w, )?--([a-z-]+)/mg;
		is_deeply(\@documented, \@options, "$command: the options");
	}

	run_page("$program(1)", [ man_examples($page) ], hub => 1);
}
done_testing;
