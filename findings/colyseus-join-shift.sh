#!/usr/bin/env bash
# @colyseus/core 0.18.17 (npm): who joins between a change of an array and its patch has that change twice, for good.
#
# Who joins gets the whole state as it is, and then patches, and one would expect these to be of what has changed
# since. But what changed before the join and was not sent yet is in the state and, at the next patchRate, in the
# patch of everybody. For a map and a plain field that is the same twice; an array of strings or numbers is told of
# positions. Of "2" and "3", which shift() has left, who has just joined takes away "2"; reverse() is undone. Nothing
# puts it right later, no error is told, and the others have the right list.
#
# A queue of turns or a kill feed that changes each second is wrong for one of twenty that join, at the usual 50 ms.
# An array of Schema instances, and a map, are right.
#
# Assumes node (20.18 or later) and npm.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM HUP
skip() { echo "cannot be tried: $*"; exit 77; }

command -v node npm >"$tmp/log" || skip "no node or npm"
timeout 120 npm install --prefix "$tmp" --cache "$tmp/cache" --no-audit --no-fund --ignore-scripts \
	@colyseus/core@0.18.17 @colyseus/ws-transport@0.18.4 @colyseus/schema@5.0.34 @colyseus/sdk@0.18.4 \
	>"$tmp/log" 2>&1 || skip "no @colyseus/core 0.18.17"

cat >"$tmp/try.js" <<'EOF'
const { Room, Server } = require('@colyseus/core');
const { WebSocketTransport } = require('@colyseus/ws-transport');
const { Schema, ArraySchema, MapSchema, defineTypes } = require('@colyseus/schema');
const { Client } = require('@colyseus/sdk');
const net = require('net');

class Card extends Schema {}
defineTypes(Card, { name: 'string' });
class State extends Schema {}
defineTypes(State, { tick: 'number', strings: ['string'], numbers: ['number'], schemas: [Card],
  map: { map: 'string' } });

let room;
class World extends Room {
  onCreate() {
    room = this;
    this.patchRate = 1500;   // so that the join surely comes before the patch
    this.state = new State();
    this.state.tick = 0;
    this.state.strings = new ArraySchema('1', '2', '3');
    this.state.numbers = new ArraySchema(1, 2, 3);
    this.state.schemas = new ArraySchema(...[1, 2, 3].map((n) => new Card().assign({ name: `${n}` })));
    this.state.map = new MapSchema({ 1: '1', 2: '2', 3: '3' });
  }
}
const tries = [
  ['strings', 'shift()', (list) => list.shift()],
  ['strings', 'shift(), push("4")', (list) => { list.shift(); list.push('4'); }],
  ['strings', 'splice(1, 1)', (list) => list.splice(1, 1)],
  ['strings', 'reverse()', (list) => list.reverse()],
  ['strings', 'pop()', (list) => list.pop()],
  ['numbers', 'shift()', (list) => list.shift()],
  ['schemas', 'shift()', (list) => list.shift()],
  ['map', 'delete("1")', (map) => map.delete('1')],
];
const content = ({ state }, name) => [...state[name].values()].map((one) => one.name ?? one).join(' ');
const reaches = (client, tick) => new Promise((f) => {
  const timer = setInterval(() => client.state.tick >= tick && (clearInterval(timer), f()), 10);
});

(async () => {
  const port = await new Promise((f) => {
    const probe = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => f(port));
    });
  });
  const server = new Server({ greet: false, transport: new WebSocketTransport() });
  server.define('world', World);
  await server.listen(port, '127.0.0.1');
  for (const [name, words, change] of tries) {
    const before = await new Client(`ws://127.0.0.1:${port}`).create('world');
    await new Promise((f) => before.onStateChange.once(f));
    // Right behind a patch.
    room.state.tick = 1;
    await reaches(before, 1);
    change(room.state[name]);
    const after = await new Client(`ws://127.0.0.1:${port}`).joinById(before.roomId);
    await new Promise((f) => after.onStateChange.once(f));
    const joined = content(after, name);
    room.state.tick = 2;
    await Promise.all([reaches(before, 2), reaches(after, 2)]);
    console.log(`${name} ${words}: server ${content(room, name)}; who was there ${content(before, name)};`,
      `who joined ${joined}, then ${content(after, name)}`);
    await Promise.all([before.leave(), after.leave()]);
  }
  process.exit(0);
})();
EOF
seen=$(timeout 60 node "$tmp/try.js" 2>"$tmp/log" | grep -v DEBUG) || :
expected='strings shift(): server 2 3; who was there 2 3; who joined 2 3, then 3
strings shift(), push("4"): server 2 3 4; who was there 2 3 4; who joined 2 3 4, then 3 4 4
strings splice(1, 1): server 1 3; who was there 1 3; who joined 1 3, then 1
strings reverse(): server 3 2 1; who was there 3 2 1; who joined 3 2 1, then 1 2 3
strings pop(): server 1 2; who was there 1 2; who joined 1 2, then 1 2
numbers shift(): server 2 3; who was there 2 3; who joined 2 3, then 3
schemas shift(): server 2 3; who was there 2 3; who joined 2 3, then 2 3
map delete("1"): server 2 3; who was there 2 3; who joined 2 3, then 2 3'

echo "@colyseus/core 0.18.17, @colyseus/schema 5.0.34, node $(node --version)"
printf 'expected:\n%s\nseen:\n%s\n' "$expected" "$seen"
[ "$seen" = "$expected" ] || { echo "CHANGED"; exit 1; }
echo "as stated"
