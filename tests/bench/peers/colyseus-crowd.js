#!/usr/bin/env node
// The crowd of hubbench, spoken by Colyseus' own client: so many avatars walk about, 20 moves a second each, due at
// the instants at which hubbench has them due. Of the first OBSERVERS what they know is looked at, at random instants;
// of the others only the bytes are counted once they have joined, so that the generator is not the limit.
//
//   node colyseus-crowd.js PORT AVATARS OBSERVERS PROCESSES WARMUP SECONDS BYTES
//
// Prints one JSON object: behind (ms, percentiles: for how long there has been a newer move than the one that is
// known), stale (its age), late (how late moves were sent), the bytes a client gets in a second, bytes a move and
// member, and how many avatars are known wrongly at the end.
'use strict';
const path = require('path');
const { createRequire } = require('module');
const { fork } = require('child_process');
const load = createRequire(path.join(process.env.HUB_BENCH_PEERS || __dirname, 'package.json'));

const RATE = 20, SIDE = 100, PACE = 5, SAMPLE_MS = 40, JOINING = 16;
const now = () => Number(process.hrtime.bigint()) / 1e6; // one clock for all processes
const sleep = (ms) => new Promise((f) => setTimeout(f, Math.max(0, ms)));

// When a move is due, in ms from the start: avatars take turns.
const due = (avatars, index, number) => (number * avatars + index) * 1000 / (RATE * avatars);
// How many moves of it are due.
const moves = (avatars, index, at) => Math.max(0, Math.floor(at * RATE / 1000 - index / avatars) + 1);

const percentiles = (list) => {
	list.sort((a, b) => a - b);
	const at = (p) => list.length ? list[Math.min(list.length - 1, Math.floor(p * list.length))] : null;
	return { n: list.length, p50: at(0.5), p99: at(0.99), max: at(1) };
};

// --- one of the processes

async function join(client, index, pad, watch) {
	const room = await client.joinOrCreate('world', { index, pad });
	const member = { index, room, bytes: 0, messages: 0, x: Math.random() * SIDE, z: Math.random() * SIDE, yaw: Math.random() * 6.28, known: watch && [] };
	const take = room.connection.events.onmessage;
	await new Promise((f) => room.onStateChange.once(f));
	room.connection.events.onmessage = (event) => {
		member.bytes += event.data.byteLength;
		member.messages++;
		if (watch) take(event);
	};
	return member;
}

function move(member, number) {
	member.yaw += (Math.random() - 0.5) * 0.7;
	for (const [axis, f] of [['x', Math.cos], ['z', Math.sin]]) {
		member[axis] += f(member.yaw) * PACE / RATE;
		if (member[axis] < 0 || member[axis] > SIDE) {
			member[axis] = Math.min(SIDE, Math.max(0, member[axis]));
			member.yaw += Math.PI;
		}
	}
	// 1: the first one; a player that has none has 0.
	member.room.send('move', { n: number + 1, x: member.x, z: member.z });
}

async function child([port, avatars, observers, processes, warmup, seconds, bytes, which]) {
	const { Client } = load('@colyseus/sdk');
	const client = new Client(`ws://127.0.0.1:${port}`);
	const mine = [...Array(avatars).keys()].filter((i) => i % processes === which);
	const members = [];
	const pad = 'p'.repeat(Math.max(0, bytes - 80));
	const queue = mine.slice();
	await Promise.all([...Array(JOINING)].map(async () => {
		while (queue.length) {
			const index = queue.shift();
			members.push(await join(client, index, pad, index < observers));
		}
	}));
	members.sort((a, b) => a.index - b.index);
	process.send({ joined: members.length });
	const start = await new Promise((f) => process.once('message', f));
	const watchers = members.filter((m) => m.known);
	const behind = [], stale = [], late = [];
	let measuring = false, sample_at = start, who = 0, number = 0, at = 0;
	const end = start + (warmup + seconds) * 1000;

	const look = (member, when) => {
		const known = [];
		member.room.state.players.forEach((p) => (known[p.index] = p.n));
		for (let i = 0; i < avatars; i++) {
			const made = moves(avatars, i, when - start);
			if (!made) continue;
			const had = known[i] ?? 0;
			behind.push(had < made ? when - start - due(avatars, i, had) : 0);
			stale.push(when - start - due(avatars, i, Math.max(0, had - 1)));
		}
	};
	for (;;) {
		const t = now();
		if (t >= end) break;
		if (!measuring && t >= start + warmup * 1000) {
			measuring = true;
			for (const m of members) m.bytes = m.messages = 0;
		}
		// What is due, in the order of its time.
		while (members.length) {
			const when = start + due(avatars, members[at].index, number);
			if (when > t || when >= end) break;
			if (measuring) late.push(t - when);
			move(members[at], number);
			if (++at === members.length) at = 0, number++;
		}
		if (watchers.length && t >= sample_at) {
			sample_at = t + SAMPLE_MS / 2 + Math.random() * SAMPLE_MS;
			if (measuring) look(watchers[who++ % watchers.length], now());
		}
		await sleep(1);
	}
	const took = (now() - start) / 1000 - warmup;
	// All that could be known, or it stays as it is.
	const last = moves(avatars, 0, (warmup + seconds) * 1000 - 1e-6);
	const wrong = () => {
		let n = 0;
		for (const m of watchers)
			m.room.state.players.forEach((p) => (n += p.n < last - 1));
		return n;
	};
	const bytes_s = watchers.map((m) => m.bytes / took);
	const messages_s = watchers.map((m) => m.messages / took);
	for (let i = 0; i < 100 && wrong(); i++) await sleep(50);
	process.send({ behind, stale, late, bytes_s, messages_s, wrong: wrong(), players: watchers[0]?.room.state.players.size });
	await new Promise((f) => process.once('message', f));
	process.exit(0);
}

// --- the one that asks them

async function main(args) {
	const [, avatars, , processes, , , ] = args;
	const children = [...Array(processes).keys()].map((i) => fork(__filename, ['--child', JSON.stringify([...args, i])], { serialization: 'advanced' }));
	const each = (f) => Promise.all(children.map((c) => new Promise((done, fail) => {
		c.once('message', done);
		c.once('exit', () => fail(new Error('a process of clients ended')));
		f?.(c);
	})));
	const joined = (await each()).reduce((n, m) => n + m.joined, 0);
	const start = now() + 500;
	const all = await each((c) => c.send(start));
	const merge = (name) => all.reduce((list, m) => list.concat(m[name]), []);
	const mean = (list) => list.reduce((a, b) => a + b, 0) / list.length;
	const bytes_s = mean(merge('bytes_s'));
	console.log(JSON.stringify({ joined, behind: percentiles(merge('behind')), stale: percentiles(merge('stale')), late: percentiles(merge('late')),
		bytes_per_second: bytes_s, messages_per_second: mean(merge('messages_s')), bytes_per_move: bytes_s / (RATE * avatars),
		wrong: all.reduce((n, m) => n + m.wrong, 0), players: all.find((m) => m.players !== undefined)?.players }));
	for (const c of children) c.send('end');
}

const failed = (error) => {
	console.error(`colyseus-crowd: ${error.stack ?? error}`);
	process.exit(1);
};
process.on('unhandledRejection', failed);
if (process.argv[2] === '--child') child(JSON.parse(process.argv[3])).catch(failed);
else main(process.argv.slice(2).map(Number)).catch(failed);
