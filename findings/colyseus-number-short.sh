#!/usr/bin/env bash
# @colyseus/schema 5.0.34 (npm): a field of type "number" reaches the clients as another number, if it is small.
#
# The type is said to choose between whole and floating-point numbers by itself, and one would expect the choice to
# keep the value, as it does for whole numbers. But a fraction goes as float32 whenever that is off by less than
# 0.0001: an absolute distance, so that the small numbers are the ones that change. 0.1 and 1234.56 arrive with
# seven digits, 100000.1 is exact, and 1e-50 becomes 0. Type "float64" keeps all of them.
#
# A client that compares its own prediction with the server's position finds a difference in each patch; prices and
# shares do not add up. Numbers that are to be equal on both sides need "float64", or whole units.
#
# Assumes node (20.18 or later) and npm.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM HUP
skip() { echo "cannot be tried: $*"; exit 77; }

command -v node npm >"$tmp/log" || skip "no node or npm"
timeout 40 npm install --prefix "$tmp" --cache "$tmp/cache" --no-audit --no-fund --ignore-scripts \
	@colyseus/schema@5.0.34 >"$tmp/log" 2>&1 || skip "no @colyseus/schema 5.0.34"

cat >"$tmp/try.js" <<'EOF'
const { Schema, Encoder, Decoder, defineTypes } = require('@colyseus/schema');

class State extends Schema {}
defineTypes(State, { number: 'number', float64: 'float64' });

// What a client holds after the state of the server was sent to it.
function send(value) {
  const server = new State(), client = new State();
  server.number = server.float64 = value;
  new Decoder(client).decode(new Encoder(server).encodeAll());
  return client;
}
for (const value of [0.1, 1234.56, 100000.1, 1e-50, 1732875397123]) {
  const { number, float64 } = send(value);
  console.log(`${value}: number ${number}, float64 ${float64}`);
}
EOF
seen=$(timeout 15 node "$tmp/try.js" 2>"$tmp/log") || :
expected='0.1: number 0.10000000149011612, float64 0.1
1234.56: number 1234.56005859375, float64 1234.56
100000.1: number 100000.1, float64 100000.1
1e-50: number 0, float64 1e-50
1732875397123: number 1732875397123, float64 1732875397123'

echo "@colyseus/schema 5.0.34, node $(node --version)"
printf 'expected:\n%s\nseen:\n%s\n' "$expected" "$seen"
[ "$seen" = "$expected" ] || { echo "CHANGED"; exit 1; }
echo "as stated"
