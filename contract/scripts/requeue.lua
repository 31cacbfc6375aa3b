-- A chunk goes back to the queue because its worker died or gave it back, or because its message was lost.
-- After too many attempts it becomes a dead letter instead. An attempt counts if the chunk may have been what brought
-- its worker down: the first time nobody knows, from then on it runs alone and only a death while it runs counts.
-- ARGV: id, chunk, worker that held it ('' for a lost message), model whose queue lost the message or '', most attempts,
--       blame: never | perhaps | surely, why, result ttl ms, dead letter ttl ms
-- Returns: send, model, lane | dead | drop
local id, n, worker, waits_for, most_attempts, blame, why, result_ttl, dead_ttl = unpack(ARGV)
even_if_memory_is_full()
local key = record(id)
local state, model, lane = unpack(redis.call('HMGET', key, 'state', 'model', 'lane'))
local chunk = state and is_open(state) and get_chunk(id, n)
local found = chunk and ((worker == '' and chunk.state == 'queued') or (is_held(chunk) and chunk.worker == worker))
if not found then
  if worker ~= '' then on('SREM', leased(worker), ticket(id, n)) end
  if waits_for ~= '' then on('ZREM', queued(waits_for), ticket(id, n)) end
  return {'drop'}
end

if blame == 'surely' or (blame == 'perhaps' and (chunk.attempts == 0 or chunk.state == 'running')) then
  chunk.attempts = chunk.attempts + 1
end
if chunk.attempts >= tonumber(most_attempts) then
  leave(id, model, lane, chunk)
  bury(id, chunk, why)
  settle(id, result_ttl, dead_ttl)
  return {'dead'}
end

if is_held(chunk) then on('SREM', leased(worker), ticket(id, n)) end
chunk.state, chunk.worker = 'queued', ''
put_chunk(id, chunk)
on('ZADD', queued(model), now_ms(), ticket(id, n))
count('resent')
return {'send', model, lane}
