// Types of hub.js; hub.js(3) says what each means.

/** connecting, then behind until it has what it missed, then joined; waiting until it connects again; offline where the
 *  browser has no network; failed where it does not come back; closed by close(). */
export type Status = "connecting" | "behind" | "joined" | "waiting" | "offline" | "failed" | "closed";

export type Transport = "websocket" | "sse" | "poll";

/** What is published: any JSON object with a type. */
export interface Message {
	type: string;
	key?: string;
	to?: string | string[];
	timestamp?: number;
	msg_id?: string;
	[field: string]: unknown;
}

/** A record of the log, as hub(7) has it. */
export interface HubRecord extends Message {
	session_id: string;
	timestamp: number;
	from: string;
	user?: string;
	seq: number;
}

/** A message for this client alone: it is of no log. */
export interface Direct extends Message {
	session_id: string;
	from: string;
}

export interface Ack {
	type: "ack";
	msg_id: string;
	session_id?: string;
	/** Absent for direct messages. */
	seq?: number;
	value?: unknown;
}

export interface Gap {
	type: "gap";
	session_id: string;
	from_seq: number;
	to_seq: number;
}

export interface Member {
	client_id: string;
	user?: string;
	user_info?: unknown;
	info?: Record<string, unknown>;
}

export interface Presence {
	type: "presence";
	session_id: string;
	user_count: number;
	members: Member[];
	truncated?: true;
}

export interface PresenceNews {
	type: "client_connected" | "client_disconnected" | "connection_status";
	session_id: string;
	client_id?: string;
	user_count: number;
}

/** code: a word of hub(7), the number of a close, or one of ours. */
export class HubError extends Error {
	constructor(code: string | number, message?: string, retryAfter?: number, status?: number);
	readonly code: string | number;
	/** Seconds, or 0. */
	readonly retryAfter: number;
	/** Of HTTP, or 0. */
	readonly status: number;
}

/** What each event hands to its handlers. */
export interface Events {
	record: [record: HubRecord];
	state: [record: HubRecord];
	reset: [reason: string];
	gap: [gap: Gap];
	direct: [message: Direct];
	presence: [news: PresenceNews];
	status: [status: Status, why?: HubError];
	latency: [ms: number];
	version: [wanted: string];
	full: [];
	drain: [];
	/** So many records did not come, since others say what they said anew: of select.conflate. */
	skipped: [count: number];
	/** That record of the state is not in select.area any more; it has gone from the mirror. */
	left: [type: string, key: string, record: HubRecord | undefined];
	held: [why: HubError];
	error: [error: HubError, message: object];
	rebootstrap: [];
}

/** What hub.js needs of a WebSocket. */
export interface SocketLike {
	onopen: ((event: any) => void) | null;
	onmessage: ((event: any) => void) | null;
	onclose: ((event: any) => void) | null;
	onerror: ((event: any) => void) | null;
	send(text: string): void;
	close(code?: number): void;
}

/** A square of the hub's cells around a point. */
export type Area = {x: number; y: number; r: number} | {x: number; z: number; r: number};

/** What is wanted of the session's records, and how: hub(7), Crowds. */
export interface Select {
	/** Patterns of types, with a ! before those that are not wanted. */
	types?: string | string[];
	/** Milliseconds to which records are held. */
	tick?: number;
	/** Of types that do not wait for it. */
	priority?: string | string[];
	/** Of the state only the last of each key that a tick brings. */
	conflate?: boolean;
	/** Of what has a place, only what is near; Hub.interest moves it. */
	area?: Area;
	/** Over WebSocket, with batch and tick: records come as what has changed, and are put together. */
	delta?: boolean;
	/** Over WebSocket what comes together comes as one message. */
	batch?: boolean;
	/** The same without what the record before says, too. */
	fields?: "compact";
}

export interface Options {
	/** Of the hub, with http, https, ws or wss, with /ws behind it or without; the page's own server where absent. */
	url?: string;
	/** In the order in which they are tried. */
	transports?: Transport[];
	/** Shown to a hub with keys; a function is asked each time that one is needed. */
	token?: string | (() => string | Promise<string>);
	/** All where absent. */
	select?: Select;
	/** What presence says of this client. */
	clientInfo?: Record<string, unknown>;
	/** Of the page: where the hub wants another one (--client-version of hubd), the event version tells. */
	version?: string;
	/** The tabs of a browser have one connection together; those with the same string, where it is one. */
	shared?: boolean | string;
	/** Messages that may wait for their acks: 256. */
	queue?: number;
	/** Milliseconds that it waits before it comes back, at most: 1000 after the first failure ... */
	firstWait?: number;
	/** ... twice as many after each further one, up to this: 30000. */
	longestWait?: number;
	/** In a row, after which it has failed: 99. */
	attempts?: number;
	/** Milliseconds between pings: 54000. */
	ping?: number;
	/** Milliseconds of silence after which a connection is given up: 60000. */
	silence?: number;
	/** Milliseconds for a connection to be made: 10000. */
	answer?: number;
	/** Milliseconds after which WebSocket is tried again where another transport is used: 60000. */
	better?: number;
	/** Which types are state, beside those of hub(7): where their key stands; "" for one record a session. */
	keys?: Record<string, string>;
	/** Types that delete. */
	deletes?: string[];
	/** In place of the global ones. */
	WebSocket?: new (url: string, protocols?: string | string[]) => SocketLike;
	fetch?: (url: string, init?: any) => Promise<any>;
	/** Where it keeps which transport gets through; in pages localStorage. */
	storage?: { getItem(name: string): string | null; setItem(name: string, value: string): void };
}

export class Hub {
	constructor(session: string, options?: Options);

	readonly status: Status;
	/** What it is connected by. */
	readonly transport?: Transport;
	/** Who this client is, by WebSocket: from of its records. */
	readonly clientId?: string;
	readonly userCount?: number;
	/** Milliseconds to the hub and back, as last measured. */
	readonly latency?: number;
	/** The place in the log: that of the last record that came. */
	readonly seq?: number;
	readonly epoch?: string;
	/** How many messages wait for their acks, and whether no more are taken. */
	readonly waiting: number;
	readonly full: boolean;

	on<Name extends keyof Events>(name: Name, handler: (...what: Events[Name]) => void): () => void;
	publish(message: Message): Promise<Ack>;
	send(message: Message): boolean;
	state(type: string): ReadonlyMap<string, HubRecord>;
	presence(): Promise<Presence>;
	/** Moves the area. */
	interest(area: Area): void;
	ping(): Promise<number>;
	restart(): void;
	close(): void;
}
