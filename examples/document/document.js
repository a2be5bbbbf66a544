// A text that many edit. An edit is an array: a number n > 0 keeps n characters, n < 0 drops them, a string is
// put in; what is behind the last one is kept.
//
// What the text is, is said by the log alone: edit number N changes the text of N - 1, after it has been moved
// over all edits that its author had not seen, which are those with numbers from base + 1 to N - 1. Everybody
// has the same log, and so the same text.

const size = (part) => typeof part === "string" ? part.length : Math.abs(part);

// Appends a part to an edit.
function push(edit, part) {
	const last = edit[edit.length - 1];
	if (!size(part))
		return;
	if (typeof last === typeof part && (typeof part === "string" || (last > 0) === (part > 0)))
		edit[edit.length - 1] = last + part;
	else
		edit.push(part);
}

// Gives the parts of an edit, in pieces of any size; behind the last one all is kept.
function reader(edit) {
	let i = 0, used = 0;
	return {
		get done() { return i >= edit.length; },
		get kind() {
			const part = i < edit.length ? edit[i] : 1;
			return typeof part === "string" ? "put" : part > 0 ? "keep" : "drop";
		},
		get left() { return i < edit.length ? size(edit[i]) - used : Infinity; },
		take(n) {
			const part = edit[i];
			if (part === undefined)
				return n;
			const piece = typeof part === "string" ? part.slice(used, used + n) : Math.sign(part) * n;
			used += n;
			if (used === size(part)) {
				i++;
				used = 0;
			}
			return piece;
		},
	};
}

// Of what a stranger sent.
const clean = (edit) => edit.filter((part) => size(part) > 0);

function apply(text, edit) {
	let at = 0, out = "";
	for (const part of edit) {
		if (typeof part === "string") {
			out += part;
		} else {
			out += part > 0 ? text.slice(at, at + part) : "";
			at += Math.abs(part);
		}
	}
	return out + text.slice(at);
}

// The edit that does behind `over` what `edit` did beside it; first: where both put something in, it stands first.
function move(edit, over, first) {
	const a = reader(edit), b = reader(over), out = [];
	while (!a.done) {
		if (a.kind === "put" && (first || b.kind !== "put")) {
			push(out, a.take(a.left));
		} else if (b.kind === "put") {
			push(out, size(b.take(b.left)));
		} else {
			const n = Math.min(a.left, b.left), dropped = b.kind === "drop", piece = a.take(n);
			b.take(n);
			push(out, dropped ? 0 : piece);
		}
	}
	return out;
}

// Both in one, `then` behind `edit`.
function join(edit, then) {
	const a = reader(edit), b = reader(then), out = [];
	while (!a.done || !b.done) {
		if (a.kind === "drop") {
			push(out, a.take(a.left));
		} else if (b.kind === "put") {
			push(out, b.take(b.left));
		} else {
			const n = Math.min(a.left, b.left), put = a.kind === "put", drop = b.kind === "drop";
			const piece = a.take(n);
			b.take(n);
			if (!drop || !put)
				push(out, drop ? -n : piece);
		}
	}
	return out;
}

// What makes `to` of `from`, where one thing was changed.
function difference(from, to) {
	let head = 0, tail = 0;
	const most = Math.min(from.length, to.length);
	while (head < most && from[head] === to[head])
		head++;
	while (tail < most - head && from[from.length - 1 - tail] === to[to.length - 1 - tail])
		tail++;
	// A character of two units is not cut.
	if (head && /[\ud800-\udbff]/.test(from[head - 1]))
		head--;
	if (tail && /[\udc00-\udfff]/.test(from[from.length - tail]))
		tail--;
	const out = [];
	push(out, head);
	push(out, to.slice(head, to.length - tail));
	push(out, -(from.length - tail - head));
	return out;
}

class SharedText {
	constructor() {
		this.sent = null;  // our edit that has no number yet: {id, base, op}; `now` is it, moved to here
		this.later = null; // what we have edited since, as one edit behind it
		this.known = 0;    // up to which number both have been moved
		this.restart();
	}

	// From the log's beginning; what is ours and not in it stays.
	restart() {
		this.known = this.seq || 0;
		this.seq = 0;    // of the last edit that is in the text
		this.text = "";  // of the log up to there
		this.moved = []; // by number: what each edit did to the text
		this.ids = new Set();
		this.early = new Map(); // edits behind one that is missing, which must be ours
	}

	// What the author sees: the text, and what is under way to it.
	get view() {
		const text = this.sent ? apply(this.text, this.sent.now) : this.text;
		return this.later ? apply(text, this.later) : text;
	}

	// An edit of the view.
	edit(op) {
		this.later = this.later ? join(this.later, op) : op;
	}

	// What is to be sent next, or null: one edit at a time is under way.
	next(id) {
		if (this.sent || !this.later)
			return null;
		this.sent = {id, base: this.seq, op: this.later, now: this.later};
		this.later = null;
		return this.sent;
	}

	// Edit number seq of the log. Returns what it has done to the view, edits, one behind the other.
	add(seq, {id, base, op}) {
		const done = [];
		if (seq > this.seq)
			this.early.set(seq, {id, base: Math.max(0, Math.floor(base)) || 0, op: clean(op)});
		for (let next; (next = this.early.get(this.seq + 1)); ) {
			this.early.delete(++this.seq);
			done.push(this.#take(next));
		}
		return done;
	}

	// Our edit has got its number.
	kept(id, seq) {
		return this.sent && this.sent.id === id ? this.add(seq, this.sent) : [];
	}

	// Gives up what is not in the log.
	drop() {
		this.sent = this.later = null;
	}

	#take({id, base, op}) {
		const own = this.sent && this.sent.id === id;
		if (this.ids.has(id)) { // sent twice: the first one counts
			op = [];
		} else {
			this.ids.add(id);
			for (let i = base + 1; i < this.seq; i++)
				op = move(op, this.moved[i], false);
		}
		this.moved[this.seq] = op;
		this.text = apply(this.text, op);
		if (own) {
			this.sent = null;
			return [];
		}
		if (this.seq <= this.known)
			return op;
		if (this.sent)
			[op, this.sent.now] = [move(op, this.sent.now, true), move(this.sent.now, op, false)];
		if (this.later)
			[op, this.later] = [move(op, this.later, true), move(this.later, op, false)];
		return op;
	}
}

// Where a position is after an edit.
function shift(at, edit) {
	let from = 0, to = 0;
	for (const part of edit) {
		if (from > at)
			break;
		if (typeof part === "string") {
			to += part.length;
		} else {
			to += part > 0 ? part : 0;
			from += Math.abs(part);
		}
	}
	return from > at ? Math.max(0, to - (from - at)) : to + at - from;
}

if (typeof module !== "undefined")
	module.exports = {SharedText, apply, move, join, difference, shift};
