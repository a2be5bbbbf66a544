-- A session has lost records that somebody had: what comes now is another past.
--
-- KEYS  as of here.lua
-- ARGV  1 the epoch that is over  2 the next one  3 channel
-- Returns 'ok'.
if redis.call('HGET', KEYS[1], 'epoch') == ARGV[1] then
	redis.call('HSET', KEYS[1], 'epoch', ARGV[2], 'last', '-', 'bytes', '0')
	redis.call('DEL', KEYS[2], KEYS[4], KEYS[5])
	redis.call('PUBLISH', ARGV[3], 'e ' .. ARGV[2] .. '\n')
end
return 'ok'
