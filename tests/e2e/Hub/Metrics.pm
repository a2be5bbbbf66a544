# What a hub's /metrics says, as numbers: the text format is read strictly, and what only grows is held to
# that from one look to the next.
package Hub::Metrics;

use strict;
use warnings;

use Hub;
use Exporter 'import';

our @EXPORT = qw(scrape parse_metrics promtool family_of);

my %last;    # of each hub: what was seen of what only grows

# promtool, where it is installed.
sub promtool {
	my ($path) = grep { -x } map { "$_/promtool" } split /:/, $ENV{PATH};
	return $path;
}

# A text as {value => {'name{label="value"}' => number}, type => {name => type}, help => {name => text}}.
sub parse_metrics {
	my ($text) = @_;
	my (%seen, $name);
	my $m = { text => $text, value => {}, type => {}, help => {} };
	die "no line feed at the end\n" if $text !~ /\n\z/;
	for (split /\n/, $text) {
		if (/^# HELP (\w+) (\S.*)$/) {
			die "$1: twice\n" if $seen{$1}++;
			($name, $m->{help}{$1}) = ($1, $2);
		} elsif (/^# TYPE (\w+) (counter|gauge|histogram)$/) {
			die "$1: TYPE without HELP\n" if $1 ne $name || $m->{type}{$1};
			$m->{type}{$1} = $2;
		} elsif (/^((\w+?)(?:_(?:bucket|sum|count))?(?:\{\w+="[^"\\]*"\})?) (\d+(?:\.\d+)?)$/) {
			my ($sample, $value) = ($1, $3);
			die "$sample: not of $name\n" if $sample !~ /^\Q$name\E(?:_bucket|_sum|_count|\{|$)/;
			die "$sample: twice\n" if exists $m->{value}{$sample};
			$m->{value}{$sample} = $value;
		} else {
			die "not a line of metrics: $_\n";
		}
	}
	_check_histogram($m, $_) for grep { $m->{type}{$_} eq 'histogram' } keys %{ $m->{type} };
	return $m;
}

sub _check_histogram {
	my ($m, $name) = @_;
	my %bucket = map { /^\Q$name\E_bucket\{le="([^"]+)"\}$/ ? ($1 => $m->{value}{$_}) : () } keys %{ $m->{value} };
	my $before = 0;
	for my $le (sort { ($a eq '+Inf') <=> ($b eq '+Inf') || $a <=> $b } grep { $_ ne '+Inf' } keys %bucket) {
		die "$name: a bucket has less than the one before\n" if $bucket{$le} < $before;
		$before = $bucket{$le};
	}
	die "$name: the last bucket is not all\n"
	    if $bucket{'+Inf'} < $before || $bucket{'+Inf'} != $m->{value}{"${name}_count"};
}

# The metric that a sample is of.
sub family_of {
	my ($m, $sample) = @_;
	my ($name) = $sample =~ /^(\w+)/;
	(my $family = $name) =~ s/_(?:bucket|sum|count)$//;
	return $m->{type}{$name} ? $name : $family;
}

# What the hub says now; get => CODE: gets the body in another way than by HTTP.
sub scrape {
	my ($hub, %o) = @_;
	my $m = parse_metrics($o{get} ? $o{get}->() : $hub->get('/metrics')->{body});
	my $last = $last{ $hub->pid } ||= {};
	for my $sample (keys %{ $m->{value} }) {
		my $type = $m->{type}{ family_of($m, $sample) };
		next if $type eq 'gauge';
		die "$sample went from $last->{$sample} to $m->{value}{$sample}\n"
		    if ($last->{$sample} // 0) > $m->{value}{$sample};
		$last->{$sample} = $m->{value}{$sample};
	}
	return $m->{value};
}

1;
