#!/usr/bin/env node
// A world on the npm package "@colyseus/core", as its documentation has it: a MapSchema of players, whose
// message "move" changes one; what has changed goes to all every 50 ms. Positions are float32, so that they are small.
//
//   node colyseus.js PORT      listens there on 127.0.0.1
'use strict';
const path = require('path');
const { createRequire } = require('module');
const load = createRequire(path.join(process.env.HUB_BENCH_PEERS || __dirname, 'package.json'));
const { Room, Server } = load('@colyseus/core');
const { WebSocketTransport } = load('@colyseus/ws-transport');
const { Schema, MapSchema, Encoder, defineTypes } = load('@colyseus/schema');

Encoder.BUFFER_SIZE = 1 << 20; // of a world with all its players

class Player extends Schema {}
// The avatar's number, and that of its move.
defineTypes(Player, { index: 'uint32', n: 'uint32', x: 'float32', z: 'float32', pad: 'string' });

class State extends Schema {
	constructor() {
		super();
		this.players = new MapSchema();
	}
}
defineTypes(State, { players: { map: Player } });

class World extends Room {
	onCreate() {
		this.maxClients = 10000;
		this.patchRate = 50;
		this.state = new State();
		this.onMessage('move', (client, { n, x, z }) => {
			const player = this.state.players.get(client.sessionId);
			player.n = n;
			player.x = x;
			player.z = z;
		});
	}
	onJoin(client, { index, pad }) {
		const player = new Player();
		player.index = index;
		player.n = 0;
		player.x = player.z = 0;
		player.pad = pad;
		this.state.players.set(client.sessionId, player);
	}
	onLeave(client) {
		this.state.players.delete(client.sessionId);
	}
}

const server = new Server({ greet: false, transport: new WebSocketTransport({ perMessageDeflate: false }) });
server.define('world', World);
server.listen(Number(process.argv[2]), '127.0.0.1', 4096);
