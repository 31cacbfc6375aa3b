-- The first commit of a chunk wins: queued, leased or running -> committed. The last one ends the job.
-- ARGV: id, chunk, result as JSON, texts that failed, model version, result ttl ms, dead letter ttl ms,
--       at once | by hand: whether those who wait are woken here, or by the caller, who waits for replicas first
-- Returns: committed | finished | late
local id, n, result, errors, version, result_ttl, dead_ttl, wakes = unpack(ARGV)
if wakes == 'by hand' then WAKES = false end
even_if_memory_is_full()
local key = record(id)
local state, model, lane = unpack(redis.call('HMGET', key, 'state', 'model', 'lane'))
local chunk = state and is_open(state) and get_chunk(id, n)
if not chunk or not (chunk.state == 'queued' or is_held(chunk)) then
  count('late_commits')
  return 'late'
end

leave(id, model, lane, chunk)
chunk.state = 'committed'
put_chunk(id, chunk)
redis.call('HSET', key, 'r:' .. n, result, 'version', version)
redis.call('HDEL', key, 't:' .. n)
redis.call('HINCRBY', key, 'settled', 1)
redis.call('HINCRBY', key, 'done', chunk.texts)
redis.call('HINCRBY', key, 'errors', errors)
if settle(id, result_ttl, dead_ttl) then return 'finished' end
if lane == 'bulk' then wake(id) end
return 'committed'
