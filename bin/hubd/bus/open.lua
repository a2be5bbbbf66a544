-- What there is of a session, which is made where it is missing.
--
-- KEYS  as of here.lua
-- ARGV  1 the epoch of a new one  2 ms for which an unused session is kept  3 the channel where its key is told
--       when it is made
-- Returns epoch, head, last batch, the first seq of the log (or the next one), the messages with an ack, the older ones
--       first, in two words, how many words of the state follow, these: key, value, ..., then who is there in
--       the same way.
local session = redis.call('HMGET', KEYS[1], 'epoch', 'head', 'last', 'tail')
if not session[1] then
	redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'head', '0', 'last', '-', 'bytes', '0', 'tail', '1')
	redis.call('DEL', KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6])
	redis.call('PUBLISH', ARGV[3], KEYS[1])
	session = { ARGV[1], '0', '-', '1' }
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
local state, here = redis.call('HGETALL', KEYS[3]), redis.call('HGETALL', KEYS[6])
local reply = { session[1], session[2], session[3], session[4],
	redis.call('GET', KEYS[5]) or '', redis.call('GET', KEYS[4]) or '', #state }
for _, part in ipairs(state) do
	reply[#reply + 1] = part
end
for _, part in ipairs(here) do
	reply[#reply + 1] = part
end
return reply
