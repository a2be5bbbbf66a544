-- Forgets a session, and tells all hubds.
--
-- KEYS  as of here.lua
-- ARGV  1 channel
-- Returns whether there was one.
local epoch = redis.call('HGET', KEYS[1], 'epoch')
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6])
if epoch then
	redis.call('PUBLISH', ARGV[1], 'd ' .. epoch .. '\n')
end
return epoch and 1 or 0
