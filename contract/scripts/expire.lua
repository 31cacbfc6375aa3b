-- A job whose deadline has passed ends as expired.
-- ARGV: id, result ttl ms.  Returns 1 if this call ended it.
local id, result_ttl = unpack(ARGV)
even_if_memory_is_full()
local state, deadline = unpack(redis.call('HMGET', record(id), 'state', 'deadline'))
if not (state and is_open(state)) then on('ZREM', 'retort:deadlines', id) return 0 end
if now_ms() < tonumber(deadline) then return 0 end
abandon(id, 'expired', result_ttl)
return 1
