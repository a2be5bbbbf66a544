-- Numbers a batch of records of one session, keeps it and tells all hubds; or none of it.
--
-- KEYS  1 the session (hash)  2 its log (stream)  3 its state (hash)  4 messages with an ack (string, as
--       batch.h says)  5 those before them (string)  6 who is there
-- ARGV  1 epoch  2 the batch's id  3 number of records (0: only 'epoch' or 'ok')  4 the batch, as it is where nothing has come before it
--       that its hubd did not have  5 ms for which an unused session is kept  6 records kept at least  7 bytes kept, where that is more  8 channel
--       9 the condition of the first record: '', 's' (its key's last record must be that one, 0: none)
--       or 'n' (that one's time must be before this)  10 that seq or time  11 the condition's key
--       12 and its type, where that counts ('' else)  13 the messages with an ack, 18 bytes each, of
--       which the first 8 are the message and the last 2 the place of its record (from 0)
--       14 the last record that their hubd had when it found none of them published before
--       from 15 on seven for each change of the state: 's' or 'd', key, type, place of the record among
--       the others (from 0), its time, when it goes (ms since 1970, or ''), its bytes
-- Returns 'ok', the first record's seq, where there is one; or with nothing done: 'epoch', the session's (or '');
--       'repeated', the seq of the last message that was seen already; 'conflict', the seq of the key's last record.
--
-- Redis reads each byte of each string that a script makes, so that of long ones as few are made as can be.
-- Numbers never go through "..", which has 14 digits. All that may be refused for want of memory stands
-- before the first write, and PUBLISH behind all.
local function text(n)
	return string.format('%.0f', n)
end

-- The records of a key: {type, seq, time, when it goes, bytes} each.
local function entries(value)
	local list, at = {}, 1
	while value and at <= #value do
		local e = {}
		for i = 1, 5 do
			local n = struct.unpack('>I4', value, at)
			e[i] = string.sub(value, at + 4, at + 3 + n)
			at = at + 4 + n
		end
		list[#list + 1] = e
	end
	return list
end

local function packed(list)
	local parts = {}
	for _, e in ipairs(list) do
		for i = 1, 5 do
			parts[#parts + 1] = struct.pack('>I4', #e[i])
			parts[#parts + 1] = e[i]
		end
	end
	return table.concat(parts)
end

-- Message and seq of those with an ack that have come behind a record.
local function acked_since(head)
	local seqs = {}
	for key = 4, 5 do
		local left = redis.call('STRLEN', KEYS[key])
		while left > 0 do
			local n = struct.unpack('<I2', redis.call('GETRANGE', KEYS[key], left - 2, left - 1))
			local block = redis.call('GETRANGE', KEYS[key], left - 12 - 18 * n, left - 1)
			local first = struct.unpack('<I8', block)
			if first <= head then
				return seqs
			end
			for at = 11, 10 + 18 * n, 18 do
				seqs[string.sub(block, at, at + 7)] = first + struct.unpack('<I2', block, at + 16)
			end
			left = left - #block
		end
	end
	return seqs
end

local session = redis.call('HMGET', KEYS[1], 'epoch', 'head', 'last', 'bytes', 'tail')
if session[1] ~= ARGV[1] then
	return { 'epoch', session[1] or '' }
end
local n, acked = tonumber(ARGV[3]), ARGV[13]

if n == 0 then -- a write, for whose way to replicas a hubd can wait, and so of all before it
	redis.call('PEXPIRE', KEYS[1], ARGV[5])
	return { 'ok', '' }
end

if acked ~= '' and tonumber(session[2]) > tonumber(ARGV[14]) then
	local seqs, repeated = acked_since(tonumber(ARGV[14])), 0
	if next(seqs) then
		for at = 1, #acked, 18 do
			repeated = math.max(repeated, seqs[string.sub(acked, at, at + 7)] or 0)
		end
	end
	if repeated > 0 then
		return { 'repeated', text(repeated) }
	end
end

if ARGV[9] ~= '' then
	local last = { '', '0', '0' }
	for _, e in ipairs(entries(redis.call('HGET', KEYS[3], ARGV[11]))) do
		if (ARGV[12] == '' or e[1] == ARGV[12]) and tonumber(e[2]) > tonumber(last[2]) then
			last = e
		end
	end
	if (ARGV[9] == 's' and last[2] ~= ARGV[10]) or
		(ARGV[9] == 'n' and last[2] ~= '0' and tonumber(ARGV[10]) <= tonumber(last[3])) then
		return { 'conflict', last[2] }
	end
end

local first = tonumber(session[2]) + 1
local last = first + n - 1
local head = 'r ' .. ARGV[1] .. ' ' .. text(first) .. ' ' .. ARGV[3] .. ' ' .. session[3] .. ' ' .. ARGV[2] .. '\n'
local batch = ARGV[4]
if string.sub(batch, 1, #head) ~= head then
	batch = head .. string.sub(batch, string.find(batch, '\n', 1, true) + 1)
end
redis.call('XADD', KEYS[2], '0-' .. text(last), 'r', batch)
local bytes, tail, keep = tonumber(session[4]) + #batch, tonumber(session[5]), last - tonumber(ARGV[6])
for _ = 1, 4 do
	if bytes <= tonumber(ARGV[7]) then
		break
	end
	local to, size = string.match(redis.call('HGET', KEYS[1], text(tail)) or '', '(%d+) (%d+)')
	if not to or tonumber(to) > keep then
		break
	end
	redis.call('XDEL', KEYS[2], '0-' .. to)
	redis.call('HDEL', KEYS[1], text(tail))
	bytes, tail = bytes - tonumber(size), tonumber(to) + 1
end
redis.call('HSET', KEYS[1], 'head', text(last), 'last', ARGV[2], 'bytes', text(bytes), 'tail', text(tail),
	text(first), text(last) .. ' ' .. text(#batch))

if acked ~= '' then
	local count = struct.pack('<I2', #acked / 18)
	local size = redis.call('APPEND', KEYS[4], struct.pack('<I8', first) .. count .. acked .. count)
	redis.call('PEXPIRE', KEYS[4], ARGV[5])
	if size >= 16384 * 30 then -- of one message each, at most
		redis.call('RENAME', KEYS[4], KEYS[5])
	end
end

for at = 15, #ARGV, 7 do
	local key, kind = ARGV[at + 1], ARGV[at + 2]
	if ARGV[at] == 'd' then
		redis.call('HDEL', KEYS[3], key)
	else
		local list = {}
		for _, e in ipairs(entries(redis.call('HGET', KEYS[3], key))) do
			if e[1] ~= kind then
				list[#list + 1] = e
			end
		end
		list[#list + 1] = { kind, text(first + tonumber(ARGV[at + 3])), ARGV[at + 4], ARGV[at + 5], ARGV[at + 6] }
		redis.call('HSET', KEYS[3], key, packed(list))
	end
end
if #ARGV > 14 then
	redis.call('PEXPIRE', KEYS[3], ARGV[5])
end
redis.call('PEXPIRE', KEYS[1], ARGV[5])
redis.call('PEXPIRE', KEYS[2], ARGV[5])
redis.call('PUBLISH', ARGV[8], batch)
return { 'ok', text(first) }
