-- An operator sends a dead letter to the queue again: dead -> queued, failed -> running. Its first attempt stays counted,
-- so that it runs alone.
-- ARGV: id, chunk, deadline in ms from now.  Returns: send, model, lane | drop
local id, n, deadline_in = unpack(ARGV)
even_if_memory_is_full()
local key = record(id)
on('ZREM', 'retort:dead', ticket(id, n))
local state, model, lane = unpack(redis.call('HMGET', key, 'state', 'model', 'lane'))
local chunk = (state == 'failed' or state == 'running') and get_chunk(id, n)
if not chunk or chunk.state ~= 'dead' then return {'drop'} end

chunk.state, chunk.attempts, chunk.worker = 'queued', 1, ''
put_chunk(id, chunk)
local deadline = now_ms() + deadline_in
redis.call('HSET', key, 'state', 'running', 'deadline', deadline)
redis.call('HDEL', key, 'e:' .. n, 'finished')
redis.call('HINCRBY', key, 'settled', -1)
redis.call('HINCRBY', key, 'dead', -1)
redis.call('PERSIST', key)
on('ZADD', 'retort:deadlines', deadline, id)
on('ZADD', queued(model), now_ms(), ticket(id, n))
add_backlog(model, lane, chunk.texts, chunk.bytes)
return {'send', model, lane}
