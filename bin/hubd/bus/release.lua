-- Gives a lease back, where it is still held.
--
-- KEYS  1 as of lease.lua
-- ARGV  1 who has held it
-- Returns how many were given back.
return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('DEL', KEYS[1]) or 0
