-- A worker takes a chunk: queued -> leased. It holds the lease for as long as its heartbeat lives.
-- ARGV: id, chunk, worker, heartbeat ttl ms, result ttl ms
-- Returns: skip, why | leased, attempt, model, lane, options, deadline, created, texts as JSON
local id, n, worker, heartbeat_ttl, result_ttl = unpack(ARGV)
local key = record(id)
local state, model, lane, options, deadline, created =
  unpack(redis.call('HMGET', key, 'state', 'model', 'lane', 'options', 'deadline', 'created'))
if not state then return {'skip', 'gone'} end
if not is_open(state) then return {'skip', state} end

local now = now_ms()
if now >= tonumber(deadline) then
  abandon(id, 'expired', result_ttl)
  return {'skip', 'expired'}
end

local chunk = get_chunk(id, n)
if not chunk then return {'skip', 'gone'} end
if chunk.state == 'leased' then
  local beat = redis.call('ZSCORE', 'retort:workers', chunk.worker)
  if beat and now - beat < tonumber(heartbeat_ttl) then return {'skip', 'leased'} end
  redis.call('SREM', leased(chunk.worker), ticket(id, n))
elseif chunk.state == 'queued' then
  redis.call('ZREM', queued(model), ticket(id, n))
else
  return {'skip', chunk.state}
end

chunk.state, chunk.attempts, chunk.worker = 'leased', chunk.attempts + 1, worker
put_chunk(id, chunk)
redis.call('SADD', leased(worker), ticket(id, n))
if state == 'queued' then redis.call('HSET', key, 'state', 'running', 'started', now) end
return {'leased', chunk.attempts, model, lane, options, deadline, created, redis.call('HGET', key, 't:' .. n)}
