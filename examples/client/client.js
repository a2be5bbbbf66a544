// Follows and feeds a session of a hub across lost connections: "Coming back" in hub(7), step by step, for browsers
// and Node. Calls events.record(m): each record once, in order; reset(why): forget all, the state follows; state(m): a
// record of that; refused(error, m): m is not in the log, without m: no join for now; end(code): it is over.
const LOST = [1000, 1001, 1005, 1006, 1011, 1012, 1013, 1014, 4401, 4410]; // after other codes nobody comes back
class HubClient {
	constructor(url, session, events) {
		Object.assign(this, { url, session, events, tag: Math.random(), sent: 0, failures: 0, pending: new Map() });
		this.connect();
	}
	connect() {
		const ws = (this.ws = new WebSocket(this.url, "hub"));
		ws.onopen = () => this.join();
		ws.onmessage = (event) => this.take(JSON.parse(event.data));
		ws.onclose = ws.onerror = ({ code = 1006 }) => ws === this.ws && this.lost(code); // one of them comes, or both
	}
	lost(code) {
		this.ws = this.joined = null;
		this.ended || !LOST.includes(code) ? this.events.end(code) : this.later(() => this.connect());
	}
	later(what, seconds = Math.random() * Math.min(30, 2 ** this.failures++)) {
		setTimeout((ws) => ws === this.ws && !this.ended && what(), 1000 * seconds, this.ws);
	}
	join() { // the first time with less: what is undefined is left out
		const { session: session_id, seq: since, epoch, resume } = this;
		this.ws.send(JSON.stringify({ type: "session_associate", session_id, since, epoch, resume }));
	}
	take(m) {
		if (m.from) return m.seq && this.record(m); // what has no seq is a direct message
		if (m.type === "session_associated") this.associated(m);
		if (m.type === "gap") this.restate("gap", NaN, m.to_seq, this.next); // in how many records is not told
		if (m.type === "resume_token") this.resume = m.resume;
		if (m.type === "error") this.events.refused(m.data, this.pending.get(m.msg_id));
		if (m.type === "error" && !this.joined) this.later(() => this.join(), m.data.retry_after);
		if (m.type === "error" || m.type === "ack") this.pending.delete(m.msg_id);
	}
	associated(m) {
		Object.assign(this, { joined: true, failures: 0, resume: m.resume });
		m.recovered ? (this.behind = this.seq) : this.restate(m.reason, m.snapshot, m.seq, m.epoch);
		for (const message of this.pending.values()) this.ws.send(JSON.stringify(message)); // again, in order
	}
	restate(why, left, behind, next) { // the state comes, in so many records; then the log goes on behind that seq
		if (this.next) this.events.reset(why);
		Object.assign(this, { left, behind, next }, left === 0 && { seq: behind, epoch: next });
	}
	record(m) { // the cursor is moved when the state is complete, and by each record behind it
		const state = m.seq <= this.behind;
		if (!state || --this.left === 0) Object.assign(this, { seq: state ? this.behind : m.seq, epoch: this.next });
		this.events[state ? "state" : "record"](m);
	}
	publish(message) {
		const m = { ...message, session_id: this.session, msg_id: `${this.tag}-${this.sent++}` };
		this.pending.set(m.msg_id, m);
		if (this.joined) this.ws.send(JSON.stringify(m));
	}
	end() {
		this.ended = true;
		this.ws ? this.ws.close() : this.events.end(1000);
	}
}
if (typeof module === "object") module.exports = { HubClient };
