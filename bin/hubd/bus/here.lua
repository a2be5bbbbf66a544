-- Who is in a session at one hubd: tells all others what has changed.
--
-- KEYS  as of publish.lua, and 6 who is there (hash): `NODE CLIENT` and what is said of it, and v, which counts
--       the changes
-- ARGV  1 node  2 channel  3 ms for which an unused session is kept  4 'j' (those that follow are there), 'l'
--       (they have left) or 'a' (these are all)  then for each: client, what is said of it
-- Returns the count.
local function change(what, rest)
	local v = string.format('%.0f', redis.call('HINCRBY', KEYS[6], 'v', 1))
	redis.call('PUBLISH', ARGV[2], what .. ' ' .. v .. ' ' .. rest)
end

local all = {}
for at = 5, #ARGV, 2 do
	local field = ARGV[1] .. ' ' .. ARGV[at]
	all[field] = true
	if ARGV[4] == 'l' then
		if redis.call('HDEL', KEYS[6], field) == 1 then
			change('l', field .. ' ')
		end
	elseif redis.call('HGET', KEYS[6], field) ~= ARGV[at + 1] then
		redis.call('HSET', KEYS[6], field, ARGV[at + 1])
		change('j', field .. ' ' .. ARGV[at + 1])
	end
end
if ARGV[4] == 'a' then
	for _, field in ipairs(redis.call('HKEYS', KEYS[6])) do
		if string.sub(field, 1, #ARGV[1] + 1) == ARGV[1] .. ' ' and not all[field] then
			redis.call('HDEL', KEYS[6], field)
			change('l', field .. ' ')
		end
	end
end
redis.call('PEXPIRE', KEYS[6], ARGV[3])
return redis.call('HGET', KEYS[6], 'v') or '0'
