-- Takes or renews a lease.
--
-- KEYS  1 the lease (string: who holds it)
-- ARGV  1 who wants it  2 for how many ms
-- Returns 'yes', or 'no': another one holds it.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
	return 'no'
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 'yes'
