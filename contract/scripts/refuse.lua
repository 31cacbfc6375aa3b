-- A worker can't read what a newer release wrote: the chunk stays for those who can, its worker's lease is undone, and no
-- attempt counts. Once nobody could read it often enough and for long enough, it becomes a dead letter.
-- ARGV: id, chunk, worker, why, most refusals, ms that the job must be old, result ttl ms, dead letter ttl ms
-- Returns: kept | dead | drop
local id, n, worker, why, most, age, result_ttl, dead_ttl = unpack(ARGV)
even_if_memory_is_full()
local key = record(id)
local state, model, lane, created = unpack(redis.call('HMGET', key, 'state', 'model', 'lane', 'created'))
local chunk = state and is_open(state) and get_chunk(id, n)
if not chunk or not (chunk.state == 'queued' or (is_held(chunk) and chunk.worker == worker)) then return 'drop' end

local refusals = redis.call('HINCRBY', key, 'u:' .. n, 1)
if refusals >= tonumber(most) and now_ms() - tonumber(created) >= tonumber(age) then
  leave(id, model, lane, chunk)
  bury(id, chunk, why)
  settle(id, result_ttl, dead_ttl)
  return 'dead'
end
if is_held(chunk) then on('SREM', leased(worker), ticket(id, n)) end
chunk.state, chunk.worker = 'queued', ''
put_chunk(id, chunk)
on('ZADD', queued(model), now_ms(), ticket(id, n))
return 'kept'
