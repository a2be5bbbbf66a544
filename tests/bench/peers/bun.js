#!/usr/bin/env bun
// Rooms on Bun's own server, which is built on µWebSockets, as its documentation has them: the first
// message of a connection is the name of its room; each later one goes to all in that room, the
// sender included.
//
//   bun bun.js PORT      says "ready" when it listens
'use strict';

Bun.serve({
	hostname: '127.0.0.1',
	port: Number(process.argv[2]),
	fetch(request, server) {
		if (server.upgrade(request, { data: { room: null } })) return undefined;
		return new Response('only WebSocket here\n', { status: 426 });
	},
	websocket: {
		perMessageDeflate: false,
		idleTimeout: 960,
		publishToSelf: true,
		message(socket, message) {
			if (socket.data.room === null) {
				socket.data.room = String(message);
				socket.subscribe(socket.data.room);
				socket.send('joined');
				return;
			}
			socket.publish(socket.data.room, message);
		},
	},
});
console.log('ready');
