-- Where a session is, and what has come since. Keeps it from being forgotten.
--
-- KEYS  as of here.lua
-- ARGV  1 the first seq that is wanted  2 entries at most  3 ms for which an unused session is kept
-- Returns epoch ('': there is none), head, last batch, the first seq of the log (or the next one), then the
--       entries that are wanted.
local session = redis.call('HMGET', KEYS[1], 'epoch', 'head', 'last', 'tail')
if not session[1] then
	return { '', '0', '-', '1' }
end
for i = 1, 6 do
	redis.call('PEXPIRE', KEYS[i], ARGV[3])
end
if tonumber(ARGV[1]) > tonumber(session[2]) then
	return session
end
for _, entry in ipairs(redis.call('XRANGE', KEYS[2], '0-' .. ARGV[1], '+', 'COUNT', ARGV[2])) do
	session[#session + 1] = entry[2][2]
end
return session
