-- What there is of a session, which is made where it is missing.
--
-- KEYS  as of publish.lua
-- ARGV  1 the epoch of a new one  2 ms for which an unused session is kept
-- Returns epoch, head, last batch, the first entry of the log or '', then the state: key, value, ...
local session = redis.call('HMGET', KEYS[1], 'epoch', 'head', 'last')
if not session[1] then
	redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'head', '0', 'last', '-', 'bytes', '0')
	redis.call('DEL', KEYS[2], KEYS[3], KEYS[4], KEYS[5])
	session = { ARGV[1], '0', '-' }
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
local oldest = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
local reply = { session[1], session[2], session[3], oldest and oldest[2][2] or '' }
for _, part in ipairs(redis.call('HGETALL', KEYS[3])) do
	reply[#reply + 1] = part
end
return reply
