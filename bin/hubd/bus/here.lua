-- Who is in a session at one hubd: tells all others what has changed. A client is at one hubd, the last that said so.
--
-- KEYS  as of publish.lua, and 6 who is there (hash): a client, and its node and what is said of it; and v, which counts
--       the changes
-- ARGV  1 node  2 channel  3 ms for which an unused session is kept  4 'j' (those that follow are there), 'l'
--       (they have left) or 'a' (these are all)  then for each: client, what is said of it. One with = in front was
--       told of before: who is elsewhere by now stays there.
-- Returns the count.
local mine = ARGV[1] .. ' '

local function change(what, client, said)
	local v = string.format('%.0f', redis.call('HINCRBY', KEYS[6], 'v', 1))
	redis.call('PUBLISH', ARGV[2], what .. ' ' .. v .. ' ' .. mine .. client .. ' ' .. said)
end

local function is_mine(there)
	return there and string.sub(there, 1, #mine) == mine
end

local all = {}
for at = 5, #ARGV, 2 do
	local known = string.sub(ARGV[at], 1, 1) == '='
	local client, said = string.sub(ARGV[at], known and 2 or 1), ARGV[at + 1]
	local there = redis.call('HGET', KEYS[6], client)
	all[client] = true
	if ARGV[4] == 'l' then
		if is_mine(there) then
			redis.call('HDEL', KEYS[6], client)
			change('l', client, '')
		end
	elseif there ~= mine .. said and not (known and there and not is_mine(there)) then
		redis.call('HSET', KEYS[6], client, mine .. said)
		change('j', client, said)
	end
end
if ARGV[4] == 'a' then
	local there = redis.call('HGETALL', KEYS[6])
	for i = 1, #there, 2 do
		if is_mine(there[i + 1]) and not all[there[i]] then
			redis.call('HDEL', KEYS[6], there[i])
			change('l', there[i], '')
		end
	end
end
redis.call('PEXPIRE', KEYS[6], ARGV[3])
return redis.call('HGET', KEYS[6], 'v') or '0'
