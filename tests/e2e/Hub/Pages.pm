# The commands of pages, run as they are printed. A command begins with "$ " and goes on in lines that
# begin with white space; what follows up to the next one is its output, where the page shows any.
#
# What is changed: the usual port is one that is free, hubd ends with the test, and no latency is too long,
# since that is the machine's. A command that would go on for ever is stopped at the end of its block.
package Hub::Pages;

use strict;
use warnings;

use Exporter 'import';
use Hub;

our @EXPORT = qw(man_examples markdown_examples markdown_code run_page normal unescape);

# roff's escapes that literal text has.
sub unescape {
	my ($text) = @_;
	$text =~ s/\\&//g;
	$text =~ s/\\([e-])/$1 eq 'e' ? '\\' : '-'/ge;
	return $text;
}

sub _commands {
	my ($block) = @_;
	my @commands;
	for my $line (split /\n/, $block) {
		if ($line =~ /^\$ (.*)/) {
			push @commands, { command => $1, out => '' };
		} elsif (@commands && $line =~ /^\s/) {
			$commands[-1]{command} .= "\n$line";
		} elsif (@commands) {
			$commands[-1]{out} .= "$line\n";
		}
	}
	return @commands ? \@commands : ();
}

# The blocks of commands in a section of a man page, by its name; else in the EXAMPLES, and in what it says of
# HTTP.
sub man_examples {
	my ($path, $section) = @_;
	my $sections = defined $section ? quotemeta $section : 'EXAMPLES|HTTP';
	my $examples = join '', slurp($path) =~ /^\.Sh (?:$sections)\n(.*?)(?=^\.Sh )/msg or return;
	return map { _commands(unescape($_)) } $examples =~ /^\.Bd -literal[^\n]*\n(.*?)^\.Ed/msg;
}

sub markdown_code {
	my ($path, $language) = @_;
	return slurp($path) =~ /^```\Q$language\E\n(.*?)^```/msg;
}

sub markdown_examples {
	my ($path) = @_;
	return map { _commands($_) } markdown_code($path, 'sh');
}

# Text in which what differs each time is made equal.
sub normal {
	my ($text) = @_;
	$text =~ s/"(client_id|from|epoch)":"[0-9A-Za-z]{11}"/"$1":"ID"/g;
	$text =~ s/"resume":"[\w-]{48}"/"resume":"TOKEN"/g;
	$text =~ s/"(since|number|seconds)":\d+/"$1":N/g if $text =~ /"(?:bans|connections)":/;
	$text =~ s/"peer":"pid-\d+,uid-\d+"/"peer":"PEER"/g;
	$text =~ s/"(timestamp|server_time)":\d{13}\b/"$1":NOW/g;
	return $text;
}

my $pages = 0;

# The programs by their names, hubd with an address of ours where it has none, and with an end.
sub _programs {
	my ($dir, $address) = @_;
	my $build = $ENV{HUB_BUILD};
	mkdir "$dir/bin" or die "$dir/bin: $!\n";
	for my $program (grep { $_ ne 'hubd' && -x "$build/$_" } map { s{.*/}{}r } glob root() . '/bin/*') {
		symlink "$build/$program", "$dir/bin/$program" or die "$program: $!\n";
	}
	spew("$dir/bin/hubd", <<"END");
#!/bin/sh
case " \$* " in
*" -l "*) ;;
*) set -- -l $address "\$@" ;;
esac
echo \$\$ >>$dir/hubs
exec timeout --foreground @{[ 900 * slow() ]} $build/hubd --drain 0 "\$@" 2>$dir/hubd.\$\$.log
END
	chmod 0755, "$dir/bin/hubd";
	if (!grep { -x "$_/curl" } split /:/, $ENV{PATH}) {
		spew("$dir/bin/curl", <<'END');
#!/usr/bin/env perl
# What the pages need of curl: -s http://HOST:PORT/PATH
use IO::Socket::INET;
my ($host, $path) = $ARGV[-1] =~ m{^http://([^/]+)(.*)} or exit 3;
my $s = IO::Socket::INET->new($host) or exit 7;
print $s "GET $path HTTP/1.0\r\n\r\n";
$_ = join '', <$s>;
s/^.*?\r\n\r\n//s;
print;
END
		chmod 0755, "$dir/bin/curl";
	}
}

# Goes on until it is stopped.
sub _for_ever {
	my ($command) = @_;
	return $command =~ /^hubcat -l (?!.*-[nwe] )/s || $command =~ / -q -1 /;
}

my $prelude = <<'END';
# ready COUNT: so many hubs have been started
ready() {
	until [ "$(grep -l 'listening on' "$dir"/hubd.*.log 2>/dev/null | wc -l)" -ge "$1" ]; do
		sleep 0.05
	done
}
# joined SESSION COUNT: so many are there, beside who asks
joined() {
	until [ "$(echo '{"type":"presence"}' | hubcat "$1" | jq .user_count)" -gt "$2" ]; do
		sleep 0.05
	done
}
stoppable=
END

# One block, in one shell. Its commands' results: status, out.
sub _run_block {
	my ($page, $commands) = @_;
	my $n = ++$page->{blocks};
	my $dir = "$page->{dir}/block$n";
	mkdir $dir or die "$dir: $!\n";
	my $script = "dir='$page->{dir}'\n$prelude";
	for my $i (0 .. $#$commands) {
		my $command = $commands->[$i]{command};
		$command =~ s/\b127\.0\.0\.1:4820\b/$page->{address}/g;
		$command =~ s/\b127\.0\.0\.1:(?=4899\b)/own_address() . ':'/ge;
		$command =~ s/ :4843\b/ :0/g;
		$command =~ s/\bp99<(?:1s|50ms)(?=')/p99<600s/g;
		$command =~ s/(?<=<=)1\.2\*base\b/1000000*base/g;
		if ($command =~ /^make\b/) {
			$command =~ s/^make\b/make -n BUILD='$ENV{HUB_BUILD}'/;
		}
		if (_for_ever($command)) {
			my ($session) = $command =~ / (\w+)(?: \||\z)/;
			my $members = () = $command =~ /\bhubcat\b/g;
			# Its programs hear the signal; the shell waits for them.
			spew("$dir/$i.sh", "trap '' TERM\n$command\n");
			$script .= "setsid sh '$dir/$i.sh' >'$dir/$i.out' 2>'$dir/$i.err' &\n"
			    . "stoppable=\"\$stoppable \$!\"\njoined $session $members\n";
		} elsif ($command =~ /^\((.*)\) &\s*\z/s) {
			# It may go on for ever, all of it.
			spew("$dir/$i.sh", "$1\n");
			$script .= "setsid sh '$dir/$i.sh' >'$dir/$i.out' 2>'$dir/$i.err' &\n"
			    . "stoppable=\"\$stoppable \$!\"\necho 0 >'$dir/$i.status'\n";
		} elsif ($command =~ /&\s*\z/) {
			$script .= "$command\n";
			$page->{hubs}++ if $command =~ /^hubd\b/;
			# The page itself waits where it asks hubd to say so.
			$script .= "ready $page->{hubs}\n" if $command =~ /^hubd\b/ && $command !~ /ready-fd/;
			$script .= ": >'$dir/$i.out'\necho 0 >'$dir/$i.status'\n";
		} elsif ($command =~ /^sqlite3 / && length $commands->[$i]{out}) {
			# The database has it a moment later than who was told.
			spew("$dir/$i.want", $commands->[$i]{out});
			$script .= "for i in \$(seq 400); do\n"
			    . "{ $command\n} >'$dir/$i.out' 2>'$dir/$i.err'\necho \$? >'$dir/$i.status'\n"
			    . "cmp -s '$dir/$i.out' '$dir/$i.want' && break\nsleep 0.05\ndone\n";
		} else {
			# In this shell, for what it sets.
			$script .= "{ $command\n} >'$dir/$i.out' 2>'$dir/$i.err'\necho \$? >'$dir/$i.status'\n";
		}
	}
	$script .= "for i in \$stoppable; do kill -TERM -\$i; wait \$i; done\n:\n";
	spew("$dir/script", $script);
	my $result = eval {
		run([ '/bin/sh', '-c', 'cd "$1" && exec sh "$2"', 'sh', $page->{cwd}, "$dir/script" ],
			env => $page->{env});
	};
	return { failed => $@ || ($result->{status} ? $result->{err} : ''), dir => $dir };
}

# Runs and judges all commands of a page. cwd => where; hub => 1: one runs already; files => {name => text}.
sub run_page {
	my ($name, $blocks, %o) = @_;
	subtest $name => sub {
		my $dir = scratch() . '/' . $name =~ s/\W/-/gr;
		-d $_ or mkdir $_ or die "$_: $!\n" for $dir, "$dir/run";
		my $address = own_address() . ':' . (4820 + $pages++);
		my $page = {
			dir => $dir, cwd => $o{cwd} || $dir, address => $address, blocks => 0, hubs => 0,
			env => { XDG_RUNTIME_DIR => "$dir/run", PATH => "$dir/bin:$ENV{PATH}" }
		};
		_programs($dir, $address);
		symlink $o{files}{$_}, "$dir/$_" for keys %{ $o{files} || {} };
		_run_block($page, [ { command => 'hubd &', out => '' } ]) if $o{hub};
		ok(scalar @$blocks, 'has examples');
		for my $block (@$blocks) {
			my $result = _run_block($page, $block);
			is($result->{failed}, '', 'a block of commands ends');
			for my $i (0 .. $#$block) {
				my $command = $block->[$i];
				my $at = "$result->{dir}/$i";
				my $title = $command->{command} =~ s/\n.*/.../sr;
				if (_for_ever($command->{command})) {
					unlike(slurp("$at.err"), qr/./, "$title: nothing to complain of");
				} else {
					is(slurp("$at.status"), "0\n", "$title: status 0") or diag(slurp("$at.err"));
				}
				is(normal(slurp("$at.out")), normal($command->{out}), "$title: its output")
				    if length $command->{out};
			}
		}
		for my $pid (split /\n/, slurp("$dir/hubs")) {
			kill 'TERM', $pid;
			becomes { slurp("/proc/$pid/stat") !~ /\) [^Z]/ } 'hubd ends';
		}
		my @logs = grep { /hubd: (?!listening|signal 15|stopped|replaced)/ } map { slurp($_) } glob "$dir/hubd.*.log";
		is("@logs", '', 'no hub had anything to complain of');
	};
}

1;
