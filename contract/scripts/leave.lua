-- A worker stops, or is dead and nothing of it is left. One that still holds leases counts as dead from now on.
-- ARGV: worker
local worker = ARGV[1]
even_if_memory_is_full()
redis.call('DEL', 'retort:worker:' .. worker)
if redis.call('EXISTS', leased(worker)) == 1 then
  on('ZADD', WORKERS, 0, worker)
else
  on('ZREM', WORKERS, worker)
end
