-- A session has lost records that somebody had: what comes now is another past.
--
-- KEYS  as of here.lua
-- ARGV  1 the epoch that is over  2 the next one  3 channel
-- Returns 'ok'.
local session = redis.call('HMGET', KEYS[1], 'epoch', 'head')
if session[1] == ARGV[1] then
	local ttl = redis.call('PTTL', KEYS[1])
	redis.call('DEL', KEYS[1], KEYS[2], KEYS[4], KEYS[5])
	redis.call('HSET', KEYS[1], 'epoch', ARGV[2], 'head', session[2], 'last', '-', 'bytes', '0',
		'tail', string.format('%.0f', tonumber(session[2]) + 1))
	redis.call('PEXPIRE', KEYS[1], ttl)
	redis.call('PUBLISH', ARGV[3], 'e ' .. ARGV[2] .. '\n')
end
return 'ok'
