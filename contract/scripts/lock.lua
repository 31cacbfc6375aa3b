-- Only one worker of a model sweeps at a time.
-- ARGV: model, worker, ms for which it holds the lock
-- Returns: 0 another worker holds it | 1 this worker holds it still | 2 this worker holds it from now on
local model, worker, ttl = unpack(ARGV)
even_if_memory_is_full()
local lock = 'retort:sweeper:' .. model
local holder = redis.call('GET', lock)
if holder and holder ~= worker then return 0 end
redis.call('SET', lock, worker, 'PX', ttl)
return holder and 1 or 2
