-- A worker lives.
-- ARGV: worker, its status as JSON, seconds to keep the status
local worker, status, ttl = unpack(ARGV)
even_if_memory_is_full()
on('ZADD', WORKERS, now_ms(), worker)
redis.call('SET', 'retort:worker:' .. worker, status, 'EX', ttl)
