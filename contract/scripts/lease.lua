-- A worker takes a chunk: queued -> leased. It holds the lease for as long as its heartbeat lives.
-- The worker that holds it may ask again, because the answer to its first question was lost.
-- ARGV: id, chunk, worker, result ttl ms, newest schema of a record that the worker reads
-- Returns: skip, why | newer, schema | leased, attempt, model, lane, options, deadline, created, now, traceparent, texts as JSON
local id, n, worker, result_ttl, schema = unpack(ARGV)
even_if_memory_is_full()
local key = record(id)
local state, model, lane, options, deadline, created, trace, written =
  unpack(redis.call('HMGET', key, 'state', 'model', 'lane', 'options', 'deadline', 'created', 'trace', 'schema'))
if not state then return {'skip', 'gone'} end
if not is_open(state) then return {'skip', state} end

local now = now_ms()
if now >= tonumber(deadline) then
  abandon(id, 'expired', result_ttl)
  return {'skip', 'expired'}
end

if tonumber(written) > tonumber(schema) then return {'newer', written} end
if not (model and lane and options and created) then error('a field is missing') end
if tonumber(n) >= number_of_chunks(id) then return {'skip', 'gone'} end

local chunk = get_chunk(id, n)
if not chunk then error('chunk ' .. n .. ' is missing') end
if chunk.state == 'queued' then
  if redis.call('HEXISTS', key, 't:' .. n) == 0 then error('the texts of chunk ' .. n .. ' are missing') end
  on('ZREM', queued(model), ticket(id, n))
  chunk.state, chunk.worker = 'leased', worker
  put_chunk(id, chunk)
  on('SADD', leased(worker), ticket(id, n))
  -- A worker that was taken for dead and is not must be found dead again if it dies now.
  on('ZADD', WORKERS, 'NX', now, worker)
elseif not (is_held(chunk) and chunk.worker == worker) then
  return {'skip', is_held(chunk) and 'leased' or chunk.state}
end
if state == 'queued' then redis.call('HSET', key, 'state', 'running', 'started', now) end
return {'leased', chunk.attempts + 1, model, lane, options, deadline, created, now, trace or '',
        redis.call('HGET', key, 't:' .. n)}
