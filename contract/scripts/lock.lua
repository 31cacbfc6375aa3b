-- Only one worker of a model sweeps at a time. A lock that would last for ever, or far longer than any sweeper asks
-- for, is a stranger's, and nobody's.
-- ARGV: model, worker, ms for which it holds the lock
-- Returns: 1 if this worker holds it | 0 if another does
local model, worker, ttl = unpack(ARGV)
even_if_memory_is_full()
local lock = 'retort:sweeper:' .. model
local LONGEST_MS = 600000
local holder = on('GET', lock)
local left = redis.call('PTTL', lock)
if holder and holder ~= worker and left >= 0 and left <= LONGEST_MS then return 0 end
redis.call('SET', lock, worker, 'PX', ttl)
return 1
