-- A worker lives, and serves these models.
-- ARGV: worker, its status as JSON, seconds to keep the status, ms to remember what it serves, models...
local worker, status, ttl, remembered = unpack(ARGV)
even_if_memory_is_full()
on('ZADD', WORKERS, now_ms(), worker)
redis.call('SET', 'retort:worker:' .. worker, status, 'EX', ttl)
for n = 5, #ARGV do on('ZADD', SERVED, now_ms(), ARGV[n]) end
on('ZREMRANGEBYSCORE', SERVED, '-inf', now_ms() - remembered)
