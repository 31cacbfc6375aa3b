-- Only one worker of a model sweeps at a time.
-- ARGV: model, worker, ms for which it holds the lock
-- Returns: 1 if this worker holds it | 0 if another does
local model, worker, ttl = unpack(ARGV)
even_if_memory_is_full()
local lock = 'retort:sweeper:' .. model
local holder = on('GET', lock)
if holder and holder ~= worker then return 0 end
redis.call('SET', lock, worker, 'PX', ttl)
return 1
