-- Numbers a batch of records of one session, keeps it and tells all hubds; or none of it.
--
-- KEYS  1 the session (hash)  2 its log (stream)  3 its state (hash)  4 messages seen (hash)
--       5 messages seen before those (hash)  6 who is there
-- ARGV  1 epoch  2 the batch's id  3 number of records  4 the records  5 ms for which an unused session
--       is kept  6 records kept at least  7 bytes kept, where that is more  8 channel
--       9 the condition of the first record: '', 's' (its key's last record must be that one, 0: none)
--       or 'n' (that one's time must be before this)  10 that seq or time  11 the condition's key
--       12 and its type, where that counts ('' else)  13 how many messages have an ack (M)
--       from 14 on: each of these and the place of its record (from 0); then seven for each change of the state: 's' or 'd', key, type, place of the
--       record among the others (from 0), its time, when it goes (ms since 1970, or ''), its bytes
-- Returns 'ok', the first record's seq; or with nothing done: 'epoch', the session's (or ''); 'repeated',
--       and for each message seen already its place among those with an ack (from 1) and its seq;
--       'conflict', the seq of the key's last record.
--
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

local session = redis.call('HMGET', KEYS[1], 'epoch', 'head', 'last', 'bytes')
if session[1] ~= ARGV[1] then
	return { 'epoch', session[1] or '' }
end
local n, m = tonumber(ARGV[3]), tonumber(ARGV[13])

if m > 0 then
	local msgs = {}
	for i = 1, m do
		msgs[i] = ARGV[12 + 2 * i]
	end
	local now = redis.call('HMGET', KEYS[4], unpack(msgs))
	local before = redis.call('HMGET', KEYS[5], unpack(msgs))
	local repeated = { 'repeated' }
	for i = 1, m do
		local seq = now[i] or before[i]
		if seq then
			repeated[#repeated + 1] = text(i)
			repeated[#repeated + 1] = seq
		end
	end
	if #repeated > 1 then
		return repeated
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
local record = 'r ' .. ARGV[1] .. ' ' .. text(first) .. ' ' .. ARGV[3] .. ' ' .. session[3] .. ' ' ..
	ARGV[2] .. '\n' .. ARGV[4]
redis.call('XADD', KEYS[2], '0-' .. text(last), 'r', record)
local bytes, keep = tonumber(session[4]) + #record, last - tonumber(ARGV[6])
for _ = 1, 4 do
	if bytes <= tonumber(ARGV[7]) then
		break
	end
	local oldest = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
	if not oldest or tonumber(string.sub(oldest[1], 3)) > keep then
		break
	end
	bytes = bytes - #oldest[2][2]
	redis.call('XDEL', KEYS[2], oldest[1])
end
redis.call('HSET', KEYS[1], 'head', text(last), 'last', ARGV[2], 'bytes', text(bytes))

if m > 0 then
	if redis.call('HLEN', KEYS[4]) >= 16384 then
		redis.call('RENAME', KEYS[4], KEYS[5])
	end
	local seen = {}
	for i = 1, m do
		seen[2 * i - 1] = ARGV[12 + 2 * i]
		seen[2 * i] = text(first + tonumber(ARGV[13 + 2 * i]))
	end
	redis.call('HSET', KEYS[4], unpack(seen))
	redis.call('PEXPIRE', KEYS[4], ARGV[5])
end

for at = 14 + 2 * m, #ARGV, 7 do
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
if #ARGV > 13 + 2 * m then
	redis.call('PEXPIRE', KEYS[3], ARGV[5])
end
redis.call('PEXPIRE', KEYS[1], ARGV[5])
redis.call('PEXPIRE', KEYS[2], ARGV[5])
redis.call('PUBLISH', ARGV[8], record)
return { 'ok', text(first) }
