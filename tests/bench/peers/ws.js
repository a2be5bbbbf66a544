#!/usr/bin/env node
// Rooms on the npm package "ws", as its documentation has them: the first message of a connection is
// the name of its room; each later one goes to all in that room, the sender included.
//
//   node ws.js PORT [deflate]      says "ready" when it listens; deflate: every message is compressed
//
// A room of one is an echo. What a send of this kind costs is what the package costs: the payload is
// not parsed.
'use strict';
const path = require('path');
const { createRequire } = require('module');
const load = createRequire(path.join(process.env.HUB_BENCH_PEERS || __dirname, 'package.json'));
const { WebSocketServer, WebSocket } = load('ws');

const rooms = new Map();

const server = new WebSocketServer({ host: '127.0.0.1', port: Number(process.argv[2]),
	perMessageDeflate: process.argv[3] === 'deflate' && { threshold: 0 }, skipUTF8Validation: false, backlog: 4096 });

server.on('connection', (socket) => {
	let room;
	socket.on('message', (data, isBinary) => {
		if (!room) {
			const name = data.toString();
			room = rooms.get(name) || new Set();
			rooms.set(name, room);
			room.add(socket);
			socket.send('joined');
			return;
		}
		for (const member of room)
			if (member.readyState === WebSocket.OPEN) member.send(data, { binary: isBinary });
	});
	socket.on('close', () => room && room.delete(socket));
	socket.on('error', () => {});
});
server.on('listening', () => console.log('ready'));
