# What tests/bench/run and bus have seen, and its tables, as text and as a page. Both take the sets ({name, title,
# unit, text, less}), the servers' names, and {set}{server} => {value, ratio, verdict}.
package Report;

use strict;
use warnings;

use Hub qw(slurp);
use List::Util qw(max);

# Keeps what a run of a server gave, and prints it: seen {set}{server} => {values, verdict}.
sub note {
	my ($seen, $round, $set, $name, $r) = @_;
	my $value = $set->{value}->($r) or return;
	my $of = $seen->{ $set->{name} }{$name} ||= { values => [], verdict => 'ok' };
	push @{ $of->{values} }, $value;
	# The worst that was said in any round.
	$of->{verdict} = $r->{verdict} if $of->{verdict} eq 'ok';
	printf "round %d  %-16s %-17s %8s %-17s %s\n", $round, $set->{name}, $name, figure($value), $set->{unit},
	    join ': ', grep { length } $r->{verdict}, $r->{verdict_why};
}

# The table of it: {ratio} is hub:peer.
sub table {
	my ($sets, $seen) = @_;
	my %table;
	for my $set (@$sets) {
		my $of = $seen->{ $set->{name} };
		my $hub = $of->{hubd} && middle(@{ $of->{hubd}{values} });
		for my $name (keys %$of) {
			my $value = middle(@{ $of->{$name}{values} });
			my ($better, $worse) = $set->{less} ? ($value, $hub) : ($hub, $value);
			# Memory and work are the same, whoever was slow.
			my $said = $set->{name} =~ /idle|cpu/ ? 'ok' : $of->{$name}{verdict};
			$table{ $set->{name} }{$name} = { value => $value, verdict => $said,
				ratio => $hub && $worse ? $better / $worse : undef };
		}
	}
	return %table;
}

sub text {
	my ($sets, $servers, $table) = @_;
	my $text = sprintf '%-50s', '';
	my @names = grep { my $name = $_; grep { $table->{ $_->{name} }{$name} } @$sets } @$servers;
	my $wide = 2 + max(10, map { length } @names);
	$text .= sprintf '%*s', $wide, $_ for @names;
	$text .= "\n";
	for my $set (@$sets) {
		my $row = $table->{ $set->{name} };
		$text .= sprintf '%-50s', "$set->{title}, $set->{unit}";
		$text .= sprintf '%*s', $wide, $row->{$_} ? figure($row->{$_}{value}) . mark($row->{$_}) : '-' for @names;
		$text .= sprintf "\n%-50s", '  hubd is better by';
		$text .= sprintf '%*s', $wide, $_ eq 'hubd' || !$row->{$_} ? '' : ratio($row->{$_}{ratio}) for @names;
		$text .= "\n";
	}
	$text .= "$_\n" for marks($table);
	return $text;
}

# The median.
sub middle {
	my @sorted = sort { $a <=> $b } @_;
	return @sorted % 2 ? $sorted[ @sorted / 2 ] : ($sorted[ @sorted / 2 - 1 ] + $sorted[ @sorted / 2 ]) / 2;
}

# Under what conditions figures were taken.
sub machine {
	my $cpus = () = slurp('/proc/cpuinfo') =~ /^processor\s*:/mg;
	my ($model) = slurp('/proc/cpuinfo') =~ /^model name\s*:\s*(.*)/m;
	return sprintf '%d CPUs%s shared by server and generator', $cpus, $model ? " ($model)" : '';
}

sub rounds { return $_[0] > 1 ? "median of $_[0] rounds" : 'one round' }

# Three digits.
sub figure {
	my ($value) = @_;
	return $value < 9.995 ? sprintf '%.2f', $value : $value < 99.95 ? sprintf '%.1f', $value : sprintf '%.0f', $value;
}

sub ratio { return defined $_[0] ? 'x ' . figure($_[0]) : '-' }

my %mark = (
	'generator-bound' => [ '*', 'the generator could go no faster; the server may' ],
	failed => [ '!', 'the server lost messages or clients' ],
);

sub mark { return ($mark{ $_[0]{verdict} // '' } || [''])->[0] }

# What the marks in a table mean.
sub marks {
	my ($table) = @_;
	my %there = map { mark($_) => 1 } map { values %$_ } values %$table;
	return map { "$_->[0] $_->[1]" } grep { $there{ $_->[0] } } map { $mark{$_} } sort keys %mark;
}

sub escape {
	my ($text) = @_;
	$text =~ s/&/&amp;/g;
	$text =~ s/</&lt;/g;
	$text =~ s/>/&gt;/g;
	return $text;
}

my $style = <<'END';
:root{--page:#f9f9f7;--card:#fcfcfb;--ink:#0b0b0b;--ink2:#52514e;--ink3:#7d7b76;--edge:#e1e0d9;
--hub:#2a78d6;--peer:#b9b8b1}
@media(prefers-color-scheme:dark){:root{--page:#0d0d0d;--card:#1a1a19;--ink:#fff;--ink2:#c3c2b7;
--ink3:#98968f;--edge:#2c2c2a;--hub:#3987e5;--peer:#5b5a55}}
body{margin:0 auto;max-width:1040px;padding:36px 28px 60px;background:var(--page);color:var(--ink2);
font:14px/1.5 system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif}
h1,h2{color:var(--ink);line-height:1.2}h1{font-size:28px;margin:0 0 6px}h2{font-size:16px;margin:0}
p{margin:2px 0 14px;color:var(--ink3);font-size:13px}
section{background:var(--card);border:1px solid var(--edge);border-radius:8px;padding:18px 20px 8px;
margin:16px 0}
table{width:100%;border-collapse:collapse;font-variant-numeric:tabular-nums}
th{font-weight:400;text-align:left;width:90px}td{padding:5px 0}td.n{text-align:right;width:80px;
color:var(--ink)}td.r{text-align:right;width:150px;color:var(--ink3)}td.b{padding-left:18px}
.bar{height:14px;border-radius:0 4px 4px 0;background:var(--peer);min-width:2px}
.hubd .bar{background:var(--hub)}.hubd th{color:var(--ink);font-weight:600}
details{margin:10px 0}summary{cursor:pointer;color:var(--ink)}details svg{width:100%;height:auto}
END

sub html {
	my ($sets, $servers, $table, $conditions, $dir) = @_;
	my $html = qq(<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n)
	    . qq(<meta name="viewport" content="width=device-width">\n<meta name="color-scheme" content="light dark">\n)
	    . "<title>hubd and its peers</title>\n<style>$style</style></head>\n<body><h1>hubd and its peers</h1>\n<p>"
	    . escape($conditions) . "</p>\n";
	for my $set (@$sets) {
		my $row = $table->{ $set->{name} };
		my ($most) = sort { $b <=> $a } map { $_->{value} } values %$row;
		$html .= '<section><h2>' . escape("$set->{title}, $set->{unit}") . "</h2>\n<p>" . escape($set->{text})
		    . ($set->{less} ? '; less is better' : '') . "</p>\n<table>\n";
		for my $name (grep { $row->{$_} } @$servers) {
			my $cell = $row->{$name};
			my $width = $most > 0 ? sprintf '%.1f', 100 * $cell->{value} / $most : 0;
			$html .= sprintf qq(<tr class="%s"><th>%s</th><td class="n">%s</td><td class="b"><div class="bar" )
			    . qq(style="width:%s%%"></div></td><td class="r">%s</td></tr>\n), $name eq 'hubd' ? 'hubd' : 'peer',
			    escape($name), figure($cell->{value}) . mark($cell), $width,
			    $name eq 'hubd' ? '' : 'hubd ' . ratio($cell->{ratio});
		}
		$html .= "</table></section>\n";
	}
	$html .= "<p>$_</p>\n" for marks($table);
	$html .= "<h2>Each run</h2>\n<p>The last round of each, as hubbench reports it.</p>\n";
	for my $set (grep { $_->{args} } @$sets) {
		for my $name (grep { $table->{ $set->{name} }{$_} } @$servers) {
			$html .= '<details><summary>' . escape("$set->{title}: $name") . "</summary>\n"
			    . slurp("$dir/$set->{name}-$name.svg") . "</details>\n";
		}
	}
	return "$html</body></html>\n";
}

1;
