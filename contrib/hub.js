// A member of a session of a hub, across lost connections: hub(7) is the protocol, hub.js(3) this module's page,
// hub.d.ts its types. For browsers, Node from version 20 on, Deno and Bun; without dependencies.
//
//	const hub = new Hub("match");
//	hub.on("record", (record) => console.log(record.seq, record.type));
//	await hub.publish({type: "goal", by: "Ann"});
//
// A link carries messages one way or another (WebSocket; events, or polling, with POST) until it ends; the Hub makes
// the next one, and knows what must outlive them: the place in the log, the mirror of the state, and what was not
// acknowledged. A link tells the Hub: begin, state* and arrive, or begin alone where it goes on; record; closed.
//
// Tabs that share a connection have a Hub each, whose link leads to one of them, which has a Trunk: a Hub with the
// connection, that tells the others what its link tells it. When that tab goes another one goes on as the same client.

const KEYS = {
	entity_created: "entity.id", entity_updated: "entity.id", entity_deleted: "entity.id",
	object_created: "data.object.name", object_updated: "data.object.name", object_deleted: "data.object.name",
	avatar_position_update: "avatar_id",
	score_update: "", game_state: "", world_initialized: "", world_updated: "",
};
const DEFAULTS = {
	transports: ["websocket", "sse", "poll"],
	queue: 256, // messages that wait for their acks
	firstWait: 1000, longestWait: 30000, attempts: 99, // of coming back; ms
	ping: 54000, silence: 60000, answer: 10000, // how often, for how long, how soon; ms
	better: 60000, // after which WebSocket is tried again, and twice that each time; ms
	keys: KEYS, deletes: ["entity_deleted", "object_deleted"],
};
const PASSING = new Set(["internal", "hub_full", "rate_limited", "shutting_down", "held", "unavailable"]); // hub(7), Refused for now
const HOPELESS = new Set(["forbidden", "banned", "bad_session_id", "bad_field"]); // of a join
const SAID = ["session_id", "timestamp", "from"]; // what a record in an array has of the one before it, where it has none
const MISSES = 2; // in a row, after which another transport is tried
const POLL_S = 25;
const RECENT = 1000; // records that a tab keeps for those that are behind it, where they share
const TRUNK = Symbol("trunk"); // an option: where it goes on, and who is told what links tell
const PLACE = Symbol("place");

export class HubError extends Error {
	constructor(code, message, retryAfter = 0, status = 0) {
		super(message || String(code));
		// code: a word of hub(7), a number of a close, or one of ours; retryAfter: seconds; status: of HTTP
		Object.assign(this, {name: "HubError", code, retryAfter, status});
	}
}

const bytes = (text) => new TextEncoder().encode(text).length;
const random = (n) => [...crypto.getRandomValues(new Uint8Array(n))].map((b) => b.toString(16).padStart(2, "0")).join("");

export class Hub {
	status = "connecting";
	clientId; // of the WebSocket
	userCount;
	latency; // ms, as last measured
	transport; // of the link that there is
	#session; #options; #base;
	#handlers = new Map();
	#mirror = new Map(); // type => Map of key => record
	#epoch; #seq; #place; #resume; // where it is; nothing while a snapshot comes
	#known = false; // it has had the session's state
	#head = 0; // behind which it is caught up
	#gap = {from: 0, to: 0}; // of which only what is left comes
	#pending = new Map(); // msg_id => what was published and not answered, in order
	#tag = random(4);
	#writer = random(16); // over HTTP, until there is a resume token
	#count = 0;
	#held = false; // something was refused for now
	#maxMessage = Infinity;
	#area; #wanted; // of which it has had all, and which it is to have
	#moving; // {area, msg_id, left}: to which it moves; left: of its state that is still to come
	#ahead = 0; // what does not wait has come up to there
	#bases; // seq => record of the mirror, for patches; undefined: none are wanted
	#partial; // not all records come: their numbers have holes
	#tabs; // whom it shares the connection with
	#recent = {behind: 0, records: []}; // all records behind that one, where it shares
	#link; #timer; #watch; #better; #betterWait;
	#failures = 0; #misses = 0; #at = 0;
	#online = () => this.status === "offline" && this.#connect();
	#offline = () => this.#doubt();

	constructor(session, options = {}) {
		this.#session = session;
		const all = {WebSocket: globalThis.WebSocket, fetch: (...what) => fetch(...what), ...DEFAULTS, ...options};
		this.#options = {...all, keys: {...KEYS, ...options.keys}};
		this.#options.transports = all.transports.filter((kind) => LINKS[kind] && kind !== "tab" && (kind !== "websocket" || all.WebSocket));
		if (!this.#options.transports.length) throw new HubError("no_transport", "none of the transports is there");
		this.#partial = !!(all.select?.types?.length || all.select?.conflate || all.select?.area || all.select?.priority);
		this.#area = this.#wanted = all.select?.area;
		if (all.select?.delta) this.#bases = new Map();
		const url = new URL(options.url ?? "/", globalThis.location?.href);
		url.protocol = url.protocol.replace(/^ws/, "http");
		this.#base = url.href.replace(/[?#].*$/, "").replace(/\/(ws)?$/, "");
		this.#betterWait = this.#options.better;
		this.#at = Math.max(0, this.#options.transports.indexOf(this.#remembered()));
		if (options[TRUNK]) this.#go_on_at(options[TRUNK]);
		if (all.shared && globalThis.navigator?.locks && globalThis.BroadcastChannel) {
			const name = `hub ${this.#base} ${session} ${all.shared}`;
			const {transports} = this.#options;
			this.#tabs = new Tabs(name, () => new Trunk(name, session, {...options, transports}, this[PLACE]()), () => this.#connect());
			this.#options.transports = ["tab"];
			this.#at = 0;
		}
		globalThis.addEventListener?.("online", this.#online);
		globalThis.addEventListener?.("offline", this.#offline);
		this.#connect();
	}

	// --- what an application does

	// Calls f for each event of that name; returns a function that ends it.
	on(name, f) {
		if (!this.#handlers.has(name)) this.#handlers.set(name, new Set());
		this.#handlers.get(name).add(f);
		return () => this.#handlers.get(name).delete(f);
	}

	// Sends a message until it is acknowledged, once and in order; gives the ack, or a HubError.
	publish(message) {
		return new Promise((resolve, reject) => {
			const msg_id = message.msg_id ?? `${this.#tag}-${++this.#count}`;
			const text = JSON.stringify({...message, session_id: this.#session, msg_id});
			if (this.status === "failed" || this.status === "closed") return reject(new HubError(this.status, `the hub is ${this.status}`));
			if (this.full) return reject(new HubError("queue_full", `${this.#pending.size} messages wait already`));
			if (this.#pending.has(msg_id)) return reject(new HubError("bad_field", "that msg_id waits already"));
			if (bytes(text) > this.#maxMessage) return reject(new HubError("too_large", `a message may have ${this.#maxMessage} bytes`));
			this.#pending.set(msg_id, {msg_id, text, resolve, reject, sent: false});
			if (this.full) this.#emit("full");
			this.#flush();
		});
	}

	// Sends a message now or never, without an ack: for what the next one makes out of date. False where it was not sent.
	send(message) {
		const text = JSON.stringify({...message, session_id: this.#session});
		return this.status === "joined" && bytes(text) <= this.#maxMessage && this.#link.send(text);
	}

	get full() { return this.#pending.size >= this.#options.queue; }
	get waiting() { return this.#pending.size; } // how many messages wait for their acks
	get seq() { return this.#seq; }
	get epoch() { return this.#epoch; }

	// The state's records of a type, by key, as they are now.
	state(type) {
		if (!this.#mirror.has(type)) this.#mirror.set(type, new Map());
		return this.#mirror.get(type);
	}

	// Moves the area of select, {x, y, r}: what leaves it is told by `left`, what stands in it by `state`.
	interest(area) {
		this.#wanted = area;
		const link = this.#link;
		if (!this.transport) return; // the next link begins with it, or goes on to it
		if (link.kind !== "websocket") {
			this.#epoch = this.#seq = this.#place = undefined;
			return void this.#connect();
		}
		if (!this.#moving) this.#move();
	}

	// Who is there: {user_count, members}.
	async presence() { return this.#linked().presence(); }

	// Milliseconds to the hub and back.
	async ping() {
		const started = performance.now();
		await this.#linked().ping();
		this.latency = performance.now() - started;
		this.#emit("latency", this.latency);
		return this.latency;
	}

	// Begins anew, as if nothing were known; what waits for its ack is given up.
	restart() {
		if (this.status === "closed") return;
		this.#end("connecting", new HubError("restarted", "it was begun anew"));
		this.#epoch = this.#seq = this.#place = this.#resume = undefined;
		this.#failures = this.#misses = 0;
		this.#connect();
	}

	close() {
		globalThis.removeEventListener?.("online", this.#online);
		globalThis.removeEventListener?.("offline", this.#offline);
		this.#end("closed", new HubError("closed", "it was closed"));
		this.#tabs?.close();
	}

	// --- what links are told, and tell

	// What a handler throws is not to stop us.
	#emit(name, ...what) {
		for (const f of [...(this.#handlers.get(name) ?? [])])
			try { f(...what); } catch (error) { queueMicrotask(() => { throw error; }); }
	}

	#become(status, why) {
		if (status === this.status && !why) return;
		this.status = status;
		this.#emit("status", status, why);
	}

	#linked() {
		if (this.status !== "joined" && this.status !== "behind") throw new HubError("not_joined", `it is ${this.status}`);
		return this.#link;
	}

	async #connect() {
		this.#drop();
		if (globalThis.navigator?.onLine === false && !this.#tabs) return this.#become("offline");
		this.#become("connecting");
		if (this.status !== "connecting") return; // who heard that has closed it
		const {transports, token, answer} = this.#options;
		const kind = transports[this.#at];
		const link = {kind, heard: Date.now(), over: false, send: () => false, end() {}};
		const mine = (f) => (...what) => link.over ? undefined : f(...what);
		const tell = this.#options[TRUNK]?.tell;
		const told = (name, f) => mine((...what) => { f(...what); tell?.(name, what); });
		this.#link = link;
		link.closed = mine((error) => this.#closed(link, error instanceof HubError ? error : new HubError("lost", error?.message)));
		link.says = mine((status, why) => this.#become(status, why));
		Object.assign(link, {
			begin: told("begin", (how) => this.#begin(link, how)), arrive: told("arrive", (epoch, seq, place) => this.#arrive(epoch, seq, place)),
			state: told("state", (m) => this.#take_state(m, true)), record: told("record", (m, place) => this.#record(m, place)),
			placed: told("placed", (place) => (this.#place = place)), other: told("other", (m) => this.#other(m)),
			ahead: told("ahead", (m) => this.#before(m)), base: (seq) => this.#bases?.get(seq),
			// Of what it has not had there are no patches: all of it, and without.
			anew: mine(() => { this.#bases = this.#epoch = this.#seq = this.#place = undefined; this.#connect(); }),
			area: this.#epoch === undefined ? this.#wanted : this.#area, has: () => this.#area,
			wish: (area) => ({...this.#options.select, area, delta: this.#bases && true}),
		});
		link.patience = setTimeout(() => link.closed(new HubError("silent", "it does not answer")), answer);
		try {
			const about = {
				session: this.#session, base: this.#base, options: this.#options, writer: this.#writer, tabs: this.#tabs,
				epoch: this.#epoch, seq: this.#seq, place: this.#place, resume: this.#resume,
				ahead: this.#ahead > this.#seq ? this.#ahead : undefined,
				token: typeof token === "function" && !this.#tabs ? await token() : token,
			};
			if (!link.over) await LINKS[kind](link, about);
		} catch (error) {
			link.closed(error);
		}
	}

	// Without a word; what was sent is not known to have arrived.
	#drop() {
		clearTimeout(this.#timer);
		clearTimeout(this.#better);
		clearInterval(this.#watch);
		this.transport = undefined;
		if (this.#link) {
			this.#link.over = true;
			clearTimeout(this.#link.patience);
			clearTimeout(this.#link.held);
			this.#link.end();
		}
		this.#link = undefined;
		this.#held = false;
		for (const p of this.#pending.values()) p.sent = false;
	}

	#closed(link, error) {
		const {transports, firstWait, longestWait, attempts, token} = this.#options, {code} = error;
		const joined = this.transport !== undefined;
		this.#drop();
		const stale = code === 4401 || code === "unauthorized" || code === "unauthenticated";
		if (error.of === "failed") {
			this.#end("failed", error);
			return code === "gave_up" && this.#emit("rebootstrap");
		}
		if (error.of) return void this.#connect(); // to the tab that has the connection by now
		if (code === 4000 || code === 4403 || HOPELESS.has(code) || (stale && typeof token !== "function"))
			return this.#end("failed", error);
		// Another transport where this one does not get through though the hub is there; else it is the hub that is not.
		if (!joined && link.kind !== "websocket" && !link.reached) this.#at = this.#misses = 0;
		else if (!joined && ++this.#misses >= MISSES) this.#at = (this.#at + 1) % transports.length, this.#misses = 0;
		if (++this.#failures > attempts) {
			this.#end("failed", new HubError("gave_up", `it did not come back in ${attempts} attempts`));
			return this.#emit("rebootstrap");
		}
		const wait = Math.random() * Math.min(longestWait, firstWait * 2 ** (this.#failures - 1));
		this.#timer = setTimeout(() => this.#connect(), Math.max(wait, 1000 * error.retryAfter));
		this.#become(globalThis.navigator?.onLine === false ? "offline" : "waiting", error);
	}

	#end(status, error) {
		this.#drop();
		const pending = [...this.#pending.values()];
		this.#pending.clear();
		for (const p of pending) p.reject(error);
		this.#become(status, error);
	}

	// --- the log and the state

	// recovered: the records behind the place follow up to head; else the state, then arrive().
	#begin(link, {recovered, reason, head = 0, clientId, resume, userCount, maxMessage, transport, writer}) {
		const {silence, transports} = this.#options;
		clearTimeout(link.patience);
		clearInterval(this.#watch);
		this.#watch = setInterval(() => this.#look(), Math.min(5000, silence / 4));
		link.pinged = Date.now();
		this.#writer = writer ?? this.#writer;
		this.transport = transport ?? link.kind;
		this.#failures = this.#misses = 0;
		if (!transport) this.#remember(link.kind);
		this.#head = head;
		this.#gap = {from: 0, to: 0};
		this.clientId = clientId ?? this.clientId;
		this.#resume = resume ?? this.#resume;
		this.#maxMessage = maxMessage ?? this.#maxMessage;
		if (userCount !== undefined) this.userCount = userCount;
		this.#area = link.area;
		if (!recovered) {
			this.#epoch = this.#seq = this.#place = undefined;
			for (const records of this.#mirror.values()) records.clear();
			this.#bases?.clear();
			this.#ahead = 0;
			this.#moving = undefined;
			this.#recent.records = [];
			if (this.#known) this.#emit("reset", reason ?? "again");
			this.#known = true;
		}
		if (link.kind !== "websocket" && transports.includes("websocket"))
			this.#better = setTimeout(() => this.#try_better(), this.#betterWait);
		this.#become("behind");
		if (recovered) this.#caught_up();
		if (this.#moving || this.#wanted !== this.#area)
			link.kind === "websocket" ? this.#move() : this.interest(this.#wanted);
	}

	#arrive(epoch, seq, place) {
		this.#epoch = epoch;
		this.#seq = this.#recent.behind = seq;
		this.#place = place;
		this.#caught_up();
	}

	// Where records are left out, nobody knows which one is the last of those that were missed.
	#caught_up() {
		if (this.status !== "behind" || this.#epoch === undefined) return;
		if (!this.#partial && Math.max(this.#seq, this.#gap.to) < this.#head) return;
		this.#become("joined");
		this.ping().catch(() => {});
		this.#flush();
	}

	#record(m, place) {
		if (this.#moving?.left) return this.#enter(m);
		if (m.seq <= this.#gap.to) // the state; what is of the gap may have had a msg_id instead
			return this.#take_state(m, m.seq < this.#gap.from) || this.#emit("record", m);
		if (m.seq <= this.#seq) return;
		this.#seq = m.seq;
		this.#place = place;
		if (this.#tabs || this.#options[TRUNK]) this.#keep(m);
		this.#take_state(m, false, true);
		this.#emit("record", m);
		this.#caught_up();
	}

	// It comes before others with a lower seq, and the place stays.
	#before(m) {
		if (m.seq <= Math.max(this.#ahead, this.#seq)) return;
		this.#ahead = m.seq;
		this.#take_state(m, false, true);
		this.#emit("record", m);
	}

	// One at a time. Who was cut off meanwhile asks for the same one again, before any other: what it was to forget for
	// its sake it does not know any more.
	#move() {
		if (!this.#moving && (this.#wanted === this.#area || this.#link.held)) return;
		const area = this.#moving ? this.#moving.area : this.#wanted, msg_id = `area-${++this.#count}`;
		this.#moving = {area, msg_id, left: 0};
		this.#link.send(JSON.stringify({type: "interest", session_id: this.#session, area, msg_id}));
	}

	#entered(m) {
		if (m.msg_id !== this.#moving?.msg_id) return;
		this.#moving.left = m.snapshot;
		if (!m.snapshot) this.#moved();
	}

	// The state of the area to which it moves.
	#enter(m) {
		this.#take_state(m, true);
		if (!--this.#moving.left) this.#moved();
	}

	#moved() {
		this.#area = this.#moving.area;
		this.#moving = undefined;
		this.#go_on();
		if (this.transport) this.#move();
	}

	#left({left}) {
		for (const {type, keys} of left)
			for (const key of keys.map(String)) {
				const record = this.state(type).get(key);
				this.#forget(type, key);
				this.#emit("left", type, key, record);
			}
	}

	#forget(type, key) {
		this.#bases?.delete(this.state(type).get(key)?.seq);
		this.state(type).delete(key);
	}

	// Into the mirror, where it is state, as all of a snapshot is. quiet: it comes as a record too.
	#take_state(m, snapshot, quiet) {
		const {keys, deletes} = this.#options;
		let key = m.key;
		if (key === undefined && Object.hasOwn(keys, m.type))
			key = keys[m.type] === "" ? "" : keys[m.type].split(".").reduce((o, name) => o?.[name], m);
		if (!["string", "number", "boolean"].includes(typeof key) && snapshot) key = "";
		if (!["string", "number", "boolean"].includes(typeof key)) return false;
		key = String(key);
		if (m.type === "state_deleted" || deletes.includes(m.type)) {
			for (const [type, records] of this.#mirror) if (records.get(key)?.seq < m.seq) this.#forget(type, key);
		} else if (!(this.state(m.type).get(key)?.seq > m.seq)) {
			this.#forget(m.type, key);
			this.state(m.type).set(key, m);
			this.#bases?.set(m.seq, m);
		}
		if (!quiet) this.#emit("state", m);
		return true;
	}

	#other(m) {
		const p = m.msg_id !== undefined && this.#pending.get(m.msg_id);
		if (m.from !== undefined) return this.#emit("direct", m);
		if (m.user_count !== undefined) this.userCount = m.user_count;
		if (m.type === "ack" && p) this.#answered(p, m);
		else if (m.type === "error" && p) this.#refused(p, m.data);
		else if (m.type === "error") this.#failed(m);
		else if (m.type === "gap") this.#lost(m);
		else if (m.type === "resume_token") this.#resume = m.resume;
		else if (m.type === "area_left") this.#left(m);
		else if (m.type === "area_entered") this.#entered(m);
		else if (m.type === "skipped") this.#emit("skipped", m.count);
		else if (m.type === "version_status") m.match || this.#emit("version", m.js_version);
		else if (/^client_(dis)?connected$|^connection_status$/.test(m.type)) this.#emit("presence", m);
	}

	#failed(m) {
		this.#emit("error", new HubError(m.data.code, m.data.message), m);
		if (!this.#moving || m.msg_id !== this.#moving.msg_id) return;
		this.#moving = undefined; // it stays where it is
		this.#go_on();
	}

	#lost(m) {
		this.#gap = {from: m.from_seq, to: m.to_seq};
		this.#recent = {behind: m.to_seq, records: []};
		for (const records of this.#mirror.values()) records.clear(); // it follows, but for what has gone
		this.#emit("gap", m);
		this.#caught_up();
	}

	// --- what is published

	#answered(p, ack, error) {
		const full = this.full;
		this.#pending.delete(p.msg_id);
		error ? p.reject(error) : p.resolve(ack);
		if (full && !this.full) this.#emit("drain");
		this.#go_on();
	}

	// Where the hub may take it later, all that is behind it waits as well.
	#refused(p, {code, message}) {
		if (!PASSING.has(code)) return this.#answered(p, undefined, new HubError(code, message));
		p.sent = false;
		if (!this.#held) this.#emit("held", new HubError(code, message));
		this.#held = true;
		this.#go_on();
	}

	// Once all that was sent is answered.
	#go_on() {
		const link = this.#link;
		if (!link || this.#under_way()) return;
		if (link.leaving) {
			this.#at = this.#options.transports.indexOf("websocket");
			return void this.#connect();
		}
		if (!this.#held || link.held || this.#moving) return;
		link.held = setTimeout(() => link.again(() => {
			link.held = undefined;
			this.#held = false;
			this.#flush();
			this.#move();
		}), this.#options.firstWait * (0.5 + Math.random() / 2));
	}

	#under_way() { return [...this.#pending.values()].some((p) => p.sent); }

	#flush() {
		if (this.status !== "joined" || this.#held || this.#link.busy || this.#link.leaving) return;
		const list = [];
		for (const p of [...this.#pending.values()]) {
			if (p.sent) continue;
			if (bytes(p.text) > this.#maxMessage) {
				this.#answered(p, undefined, new HubError("too_large", `a message may have ${this.#maxMessage} bytes`));
				continue;
			}
			p.sent = true;
			list.push(p);
		}
		if (list.length) this.#link.publish(list, () => this.#flush());
	}

	// --- the link's life

	#look() {
		const link = this.#link, {silence, ping} = this.#options;
		if (!link || !this.transport) return;
		const now = Date.now();
		if (now - link.heard > silence) return link.closed(new HubError("silent", "nothing has come for too long"));
		if (now - link.pinged < ping) return;
		link.pinged = now;
		this.ping().catch(() => {});
	}

	// The browser says that it has no network: what answers all the same goes on, such as a hub on the machine itself.
	#doubt() {
		const link = this.#link, heard = link?.heard;
		if (!this.transport || this.#tabs) return; // it is not there, or another Hub's
		this.ping().catch(() => {});
		setTimeout(() => link.heard === heard && link.closed(new HubError("silent", "there is no network")), this.#options.answer);
	}

	// Whether WebSocket gets through by now: then it is used from the next link on, which is made while nothing is under way.
	#try_better() {
		this.#betterWait = Math.min(2 * this.#betterWait, 3600000);
		const link = this.#link;
		const socket = new this.#options.WebSocket(address(this.#base), "hub");
		const end = (good) => {
			clearTimeout(patience);
			socket.onopen = socket.onclose = null;
			socket.onerror = () => {};
			socket.close();
			if (link !== this.#link) return;
			if (!good) return void (this.#better = setTimeout(() => this.#try_better(), this.#betterWait));
			link.leaving = true;
			this.#go_on();
		};
		const patience = setTimeout(end, this.#options.answer, false);
		socket.onopen = () => end(true);
		socket.onerror = socket.onclose = () => end(false);
	}

	// --- for the tabs that share the connection

	#keep(m) {
		this.#recent.records.push(m);
		if (this.#recent.records.length > 2 * RECENT) this.#recent.behind = this.#recent.records.splice(0, RECENT).at(-1).seq;
	}

	// What another Hub needs to go on here.
	[PLACE]() {
		return {
			epoch: this.#epoch, seq: this.#seq, place: this.#place, resume: this.#resume, writer: this.#writer, clientId: this.clientId,
			head: this.#head, gap: this.#gap, mirror: this.#mirror, recent: this.#recent, maxMessage: this.#maxMessage,
		};
	}

	#go_on_at({epoch, seq, place, resume, writer, mirror, recent}) {
		Object.assign(this.#recent, {behind: recent.behind, records: [...recent.records]});
		for (const [type, records] of mirror) this.#mirror.set(type, new Map(records));
		[this.#epoch, this.#seq, this.#place, this.#resume, this.#writer] = [epoch, seq, place, resume, writer];
		this.#known = epoch !== undefined;
	}

	// Which transport got through last is kept for the next page.
	#storage() {
		try { return this.#options.storage ?? (globalThis.document && globalThis.localStorage); } catch { return undefined; }
	}
	#remembered() {
		try { return this.#storage()?.getItem(`hub ${this.#base}`); } catch { return undefined; }
	}
	#remember(kind) {
		try { this.#storage()?.setItem(`hub ${this.#base}`, kind); } catch { /* then not */ }
	}
}

// The messages of one or of an array, with which the hub says once what each of its records says.
// [SEQ,PATCH] is a patch of that record, of the array or of those that base() knows.
const list = (what, base) => {
	if (!Array.isArray(what)) return [what];
	const here = new Map();
	let before = {};
	return what.map((m) => {
		if (Array.isArray(m)) {
			const [seq, patch] = m, old = here.get(seq) ?? base?.(seq);
			if (!old) throw new HubError("unknown_base", `there is no record ${seq} that was a patch's`);
			m = {...merge(old, patch), timestamp: patch.timestamp ?? before.timestamp};
		} else if (m.seq) for (const name of SAID) m[name] ??= before[name];
		if (m.seq) here.set(m.seq, m), before = m;
		return m;
	});
};

const isObject = (what) => typeof what === "object" && what !== null && !Array.isArray(what);

// RFC 7396
const merge = (target, patch) => {
	if (!isObject(patch)) return patch;
	const made = isObject(target) ? {...target} : {};
	for (const [name, value] of Object.entries(patch)) {
		if (value === null) delete made[name];
		else made[name] = merge(made[name], value);
	}
	return made;
};

// --- WebSocket

const address = (base) => base.replace(/^http/, "ws") + "/ws";

async function overWebSocket(link, about) {
	const {session, options, token} = about;
	const socket = new options.WebSocket(address(about.base), token ? ["hub", `hub.token.${token}`] : "hub");
	const say = (m) => socket.send(JSON.stringify(m));
	const asked = {pong: [], presence: []}; // who waits for them
	let left = 0, arrived, again, joined = false;
	const closed = (code, reason) => link.closed(new HubError(code || 1006, reason || "the connection was lost"));
	link.end = () => {
		socket.onopen = socket.onmessage = socket.onclose = null;
		socket.onerror = () => {}; // of some that are closed early
		try { socket.close(1000); } catch { /* it never was open */ }
		for (const [, reject] of [...asked.pong, ...asked.presence]) reject(new HubError("lost", "the connection was lost"));
	};
	link.send = (text) => (socket.send(text), true);
	link.publish = (list) => list.forEach((p) => socket.send(p.text));
	link.ping = () => new Promise((...waits) => (asked.pong.push(waits), say({type: "ping"})));
	link.presence = () => new Promise((...waits) => (asked.presence.push(waits), say({type: "presence", session_id: session, msg_id: "presence"})));
	link.again = (f) => { again = f; say({...link.wish(link.has()), type: "session_associate", session_id: session, ordered: true}); };

	const associated = (m) => {
		if (joined) {
			const f = again;
			again = undefined;
			return f?.();
		}
		joined = true;
		const {client_id: clientId, resume, recovered, reason, seq: head, user_count: userCount, max_message: maxMessage} = m;
		left = m.snapshot;
		arrived = () => link.arrive(m.epoch, m.seq);
		if (options.clientInfo) say({...options.clientInfo, type: "client_info"});
		if (options.version) say({type: "version_check", js_version: options.version});
		link.begin({recovered, reason, head, clientId, resume, userCount, maxMessage});
		if (!recovered && !left) arrived();
	};
	const take = (m) => {
		if (m.from !== undefined && m.seq) {
			if (!left) return link.record(m);
			link.state(m);
			return --left || arrived();
		}
		if (m.from !== undefined) return link.other(m);
		if (m.type === "ahead") return list(m.records, link.base).forEach((one) => one.seq ? link.ahead(one) : take(one));
		if (m.type === "session_associated") associated(m);
		else if (m.type === "pong" || m.type === "presence") asked[m.type].shift()?.[0](m);
		else if (m.type === "error" && m.msg_id === "presence") asked.presence.shift()?.[1](new HubError(m.data.code, m.data.message));
		else if (m.type === "token_expiring") renew();
		else if (m.type === "error" && (!joined || (again && m.msg_id === undefined))) link.closed(new HubError(m.data.code, m.data.message, m.data.retry_after));
		else link.other(m);
	};
	const renew = async () => {
		if (typeof options.token !== "function") return;
		try {
			const next = await options.token();
			if (!link.over) say({type: "authenticate", token: next});
		} catch { /* the hub ends the connection, and the next one asks again */ }
	};
	socket.onopen = () => say({...link.wish(link.area), type: "session_associate", session_id: session, since: about.seq, ahead: about.ahead, epoch: about.epoch, resume: about.resume, ordered: true});
	socket.onmessage = (event) => {
		let all;
		link.heard = Date.now();
		try { all = list(JSON.parse(event.data), link.base); } catch (error) { if (error.code === "unknown_base") return link.anew(); throw error; }
		for (const m of all) if (!link.over) take(m);
	};
	socket.onclose = (event) => closed(event.code, event.reason);
	socket.onerror = () => closed(); // of some there is no close
}

// --- HTTP

// What both transports over HTTP share: requests, and publishing by POST. Gives a function that makes requests.
function overHttp(link, about) {
	const {base, session, options, token, resume, writer} = about;
	const control = new AbortController();
	const path = `${base}/sessions/${encodeURIComponent(session)}`;
	const ask = async (what, init = {}) => {
		const headers = {...(token && {Authorization: `Bearer ${token}`}), ...init.headers};
		const answer = await options.fetch(path + what, {cache: "no-store", signal: control.signal, ...init, headers});
		link.heard = Date.now();
		return answer;
	};
	// An answer that is none of those that are expected.
	const bad = async (answer) => {
		let error = {};
		try { error = JSON.parse(await answer.text()).data ?? {}; } catch { /* of a proxy */ }
		const code = answer.status === 401 ? "unauthorized" : error.code ?? "lost";
		return new HubError(code, error.message ?? `HTTP ${answer.status}`, +answer.headers.get("retry-after") || 0, answer.status);
	};
	const head = async () => {
		const answer = await ask("/state", {method: "HEAD"});
		if (answer.status !== 200 && answer.status !== 404) throw await bad(await ask("/state"));
		return answer;
	};
	const post = async (body) => {
		const answer = await ask("/records", {method: "POST", headers: {"Content-Type": "application/x-ndjson", "Hub-Client": resume ?? writer}, body});
		if (answer.status !== 200) throw await bad(answer);
		if (answer.headers.has("hub-resume")) link.other({type: "resume_token", resume: answer.headers.get("hub-resume")});
		return (await answer.text()).split("\n").filter((line) => line).map((line) => JSON.parse(line));
	};
	link.end = () => control.abort();
	link.busy = false;
	link.send = (text) => (post(text + "\n").catch((error) => link.closed(error)), true);
	link.publish = async (list, then) => {
		link.busy = true;
		try {
			const answers = await post(list.map((p) => p.text + "\n").join(""));
			if (answers.length !== list.length) throw new HubError("lost", "not everything was answered");
			link.busy = false;
			for (const {line, ...m} of answers) link.other({...m, msg_id: list[line - 1].msg_id});
			if (!link.over) then();
		} catch (error) {
			link.busy = false;
			if (error.status !== 403) return link.closed(error);
			for (const {msg_id} of list) link.other({type: "error", data: error, msg_id}); // it may read, but not that
		}
	};
	link.again = (f) => f();
	link.ping = head;
	link.presence = async () => {
		const answer = await ask("/presence");
		if (answer.status !== 200) throw await bad(answer);
		return answer.json();
	};
	// The place that an answer is of. Chromium takes a head that was cut off for a whole one: the last field tells.
	const placed = (answer) => {
		const at = answer.headers.get("hub-cursor"), seq = answer.headers.get("hub-seq");
		if (!at || !seq || parts(at)[1] !== +seq) throw new HubError("lost", "the answer is not a hub's, or not whole");
		return at;
	};
	// The session's last seq. Reading makes no session and no client, and joining does.
	const reach = async () => {
		const join = () => post("").catch((error) => { if (error.status !== 403) throw error; });
		if (!resume) await join();
		let answer = await head();
		if (answer.status === 404) {
			await join();
			answer = await head();
		}
		link.reached = true;
		if (answer.status === 404) throw new HubError("not_found", "there is no such session");
		return parts(placed(answer))[1];
	};
	return {ask, bad, reach, placed};
}

// A place as the hub writes it, EPOCH-SEQ or with more behind it.
const parts = (place) => [place.slice(0, 11), +place.slice(12).split("-")[0]];
const here = ({place, epoch, seq}) => (epoch === undefined ? undefined : place ?? `${epoch}-${seq}`);

// What is wanted, as a query says it, each word with a & before it.
const query = (select = {}, names) => names.filter((name) => select[name] !== undefined && select[name] !== false)
	.map((name) => `&${name}=${encodeURIComponent(select[name] === true ? 1 : name === "area" ? placeOf(select[name]) : select[name])}`).join("");
const placeOf = ({x, y, z, r}) => [x, y ?? z, r];

async function overEvents(link, about) {
	const {options} = about, {ask, bad, reach} = overHttp(link, about);
	const head = await reach();
	const since = here(about);
	const answer = await ask("/events?state=1" + (since ? `&since=${encodeURIComponent(since)}` : "") + query({...options.select, area: link.area}, ["types", "tick", "priority", "batch", "conflate", "area"]));
	if (answer.status !== 200) throw await bad(answer);
	let begun = false, inState = false;
	const begin = (how) => { begun = true; inState = !how.recovered; link.begin({...how, head}); };
	const take = ({id, event, data}) => {
		const m = data && JSON.parse(data);
		if (m?.type === "close" && m.from === undefined) throw new HubError(m.code, m.reason);
		if (m?.type === "gap" && m.from === undefined && m.reason) return begin({recovered: false, reason: m.reason});
		if (!begun) begin({recovered: !!since});
		if (!m) {
			if (inState) inState = false, link.arrive(...parts(id), id);
			else link.placed(id);
		} else {
			for (const one of list(m)) {
				if (one.from === undefined) link.other(one);
				else if (inState) link.state(one);
				else link.record(one, list(m).at(-1) === one ? id : undefined);
			}
		}
	};
	let rest = "", fields = {};
	const decoder = new TextDecoder();
	for (const reader = answer.body.getReader(); !link.over;) {
		const {done, value} = await reader.read();
		if (done) throw new HubError("lost", "the stream has ended");
		link.heard = Date.now();
		const lines = (rest + decoder.decode(value, {stream: true})).split("\n");
		rest = lines.pop();
		for (const line of lines) {
			const colon = line.indexOf(":");
			if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 1).replace(/^ /, "");
			if (line !== "") continue;
			if ((fields.data || fields.id) && !link.over) take(fields);
			fields = {};
		}
	}
}

async function overPoll(link, about) {
	const {ask, bad, reach, placed} = overHttp(link, about), types = query({...about.options.select, area: link.area}, ["types", "area"]);
	const records = async (answer) => (await answer.text()).split("\n").filter((line) => line).map((line) => JSON.parse(line));
	const head = await reach();
	const begin_anew = async (reason) => {
		const answer = await ask("/state");
		if (answer.status !== 200) throw await bad(answer);
		const state = await records(answer);
		const at = placed(answer);
		link.begin({recovered: false, reason});
		state.forEach(link.state);
		link.arrive(...parts(at), at);
		return at;
	};
	let since = here(about);
	if (since) link.begin({recovered: true, head});
	else since = await begin_anew();
	let limit = 100; // few at first, so that even a bad network brings some
	while (!link.over) {
		const answer = await ask(`/records?wait=${POLL_S}&limit=${limit}&since=${encodeURIComponent(since)}${types}`);
		if (answer.status === 409 || answer.status === 410) {
			since = await begin_anew((await bad(answer)).code);
			continue;
		}
		if (answer.status !== 200) throw await bad(answer);
		const list = await records(answer);
		link.heard = Date.now();
		if (!list.length) {
			if (types) link.placed(since = placed(answer)); // behind all that was not wanted
			continue;
		}
		if (list.length === limit) limit = Math.min(2 * limit, 1000);
		const at = placed(answer);
		if (list[0]?.type === "gap" && list[0].from === undefined) {
			since = await begin_anew("trimmed");
			continue;
		}
		list.forEach((m) => link.record(m, m.seq === parts(at)[1] ? at : undefined));
		since = at;
	}
}

// --- tabs that share a connection

// A Hub's side: the channel, and the lock that the tab with the connection holds. The browser gives it to another tab
// when that one is gone, however it went.
class Tabs {
	#name; #lead; #again; #given; #let_go; #trunk;
	#hidden = () => this.#leave();
	#shown = ({persisted}) => persisted && (this.#ask(), this.#again());

	// lead: gives a Trunk; again: for who comes back, having missed what was said.
	constructor(name, lead, again) {
		[this.#name, this.#lead, this.#again] = [name, lead, again];
		this.id = random(8);
		this.channel = new BroadcastChannel(name);
		globalThis.addEventListener?.("pagehide", this.#hidden);
		globalThis.addEventListener?.("pageshow", this.#shown);
		this.#ask();
	}

	#ask() {
		const given = this.#given = new AbortController();
		const held = () => new Promise((done) => {
			if (given.signal.aborted) return done();
			this.#let_go = done;
			this.#trunk = this.#lead();
		});
		navigator.locks.request(this.#name, {signal: given.signal}, held).catch((error) => { if (!given.signal.aborted) throw error; });
	}

	// A page that is left may be kept, and then holds up nobody.
	#leave() {
		this.#trunk?.close();
		this.#given.abort();
		this.#let_go?.();
		this.#trunk = this.#let_go = undefined;
	}

	close() {
		globalThis.removeEventListener?.("pagehide", this.#hidden);
		globalThis.removeEventListener?.("pageshow", this.#shown);
		this.#leave();
		this.channel.close();
	}
}

// The side of the tab that has the connection.
class Trunk {
	#channel; #hub;
	#waiting = new Map(); // tabs that have joined while there is no connection
	#answers = new Map(); // msg_id => the promise of its ack

	constructor(name, session, options, place) {
		this.#channel = new BroadcastChannel(name);
		this.#channel.onmessage = ({data}) => data.tab && this.#take(data);
		this.#hub = new Hub(session, {
			...options, shared: undefined, queue: Infinity, [TRUNK]: {...place, tell: (...what) => this.#tell(...what)},
		});
		// That this tab goes is no end for the others: one of them goes on.
		this.#hub.on("status", (status, why) => {
			if (status === "closed") this.#say({status: "connecting"});
			else if (status !== "joined" && status !== "behind") this.#say({status, why: plain(why)});
		});
		this.#say({hello: true});
	}

	close() {
		this.#hub.close();
		this.#channel.close();
	}

	#say(what) { this.#channel.postMessage({trunk: true, ...what}); }

	// What the link tells, for all tabs.
	#tell(name, what) {
		this.#say({name, what: name === "begin" ? [this.#how(what[0])] : what});
		if (name !== "arrive" && !(name === "begin" && what[0].recovered)) return;
		for (const [tab, since] of this.#waiting) this.#serve(tab, since);
		this.#waiting.clear();
	}

	#how(how) {
		const {clientId, resume, writer, head, maxMessage} = this.#hub[PLACE]();
		return {head, clientId, resume, writer, maxMessage, userCount: this.#hub.userCount, ...how, transport: this.#hub.transport};
	}

	#take({tab, join, publish, send, ask, n}) {
		const hub = this.#hub;
		if (join && hub.transport && hub.epoch !== undefined) {
			this.#serve(tab, join);
		} else if (join) {
			this.#waiting.set(tab, join);
			if (hub.status === "failed") hub.restart();
			else this.#say({to: tab, status: hub.status});
		} else if (publish) {
			for (const text of publish) this.#publish(tab, JSON.parse(text));
		} else if (send) {
			hub.send(JSON.parse(send));
		} else if (ask) {
			hub[ask]().then((value) => this.#say({to: tab, n, value}), (error) => this.#say({to: tab, n, why: plain(error)}));
		}
	}

	// A tab begins where it was, if all that it has missed is still here.
	#serve(to, {epoch, seq, n}) {
		const at = this.#hub[PLACE](), {gap, recent} = at;
		const say = (name, ...what) => this.#say({to, n, name, what});
		if (epoch === at.epoch && (seq >= at.seq || seq >= recent.behind)) {
			say("begin", this.#how({recovered: true}));
			for (const m of recent.records) if (m.seq > seq) say("record", m);
		} else {
			say("begin", this.#how({recovered: false, reason: epoch === undefined ? undefined : epoch === at.epoch ? "trimmed" : "epoch_changed"}));
			const state = [...at.mirror.values()].flatMap((records) => [...records.values()]).sort((a, b) => a.seq - b.seq);
			for (const m of state) say("state", m);
			say("arrive", at.epoch, at.seq, at.place);
		}
		if (gap.to > at.seq) say("other", {type: "gap", from_seq: gap.from, to_seq: gap.to});
	}

	// A tab that has lost its way here sends again what it has no answer to.
	#publish(to, m) {
		const {msg_id} = m, answers = this.#answers;
		if (!answers.has(msg_id)) answers.set(msg_id, this.#hub.publish(m).finally(() => answers.delete(msg_id)));
		answers.get(msg_id).then(
			(ack) => this.#say({to, name: "other", what: [{...ack, msg_id}]}),
			(error) => GONE.has(error.code) || this.#say({to, name: "other", what: [{type: "error", msg_id, data: plain(error)}]}));
	}
}

const GONE = new Set(["closed", "failed", "gave_up", "restarted"]); // of a Trunk's Hub: its tabs hear of that by themselves

// Errors as channels carry them, and back.
const plain = (error) => error && {code: error.code, message: error.message, retryAfter: error.retryAfter, status: error.status};
const whole = (why) => why && new HubError(why.code, why.message, why.retryAfter, why.status);

let joins = 0; // of all links

function overTab(link, about) {
	const {tabs: {id, channel}, epoch, seq} = about;
	const asked = new Map();
	let begun = false, asks = 0, joined;
	const say = (what) => channel.postMessage({tab: id, ...what});
	const join = () => say({join: {epoch, seq, n: joined = ++joins}});
	const ask = (what) => new Promise((...waits) => (asked.set(++asks, waits), say({ask: what, n: asks})));
	const closed = (why, of) => link.closed(Object.assign(whole(why) ?? new HubError("lost", "another tab has the connection"), {of}));
	clearTimeout(link.patience); // the tab with the connection has its own
	link.heard = Infinity;
	link.send = (text) => (say({send: text}), true);
	link.publish = (messages) => say({publish: messages.map((p) => p.text)});
	link.ping = () => ask("ping");
	link.presence = () => ask("presence");
	link.again = (f) => f();
	link.end = () => {
		channel.onmessage = null;
		for (const [, reject] of asked.values()) reject(new HubError("lost", "the connection was lost"));
	};
	channel.onmessage = ({data: {trunk, to, hello, status, why, name, what, n, value}}) => {
		if (!trunk || (to && to !== id)) return;
		if (name === "begin" && to) begun = n === joined; // an earlier one's, and the last one's comes
		if (name) return begun && link[name](...what);
		if (n) return why ? asked.get(n)?.[1](whole(why)) : asked.get(n)?.[0](value);
		if (status === "failed") return closed(why, status);
		if (begun) return closed(why, "lost");
		if (hello) join();
		else link.says(status, whole(why));
	};
	join();
}

const LINKS = {websocket: overWebSocket, sse: overEvents, poll: overPoll, tab: overTab};
