-- A job is put back into the lists of which one was set aside: who has what to do is in its record.
-- ARGV: id
local id = ARGV[1]
even_if_memory_is_full()
if redis.call('TYPE', record(id)).ok ~= 'hash' then return end
local state, model, deadline, created = unpack(redis.call('HMGET', record(id), 'state', 'model', 'deadline', 'created'))
if not (state and model and deadline) or state == 'succeeded' then return end
local now = now_ms()
local since = integer(created)
if is_open(state) then on('ZADD', 'retort:deadlines', 'NX', deadline, id) end
for n = 0, number_of_chunks(id) - 1 do
  local chunk = get_chunk(id, n)
  if chunk and chunk.state == 'queued' then
    -- It may have waited from the first, without a message: nobody should wait to see whether one is on its way.
    on('ZADD', queued(model), 'NX', since, ticket(id, n))
  elseif chunk and is_held(chunk) then
    on('SADD', leased(chunk.worker), ticket(id, n))
    on('ZADD', WORKERS, 'NX', now, chunk.worker)
  elseif chunk and chunk.state == 'dead' and (is_open(state) or state == 'failed') then
    on('ZADD', 'retort:dead', 'NX', now, ticket(id, n))
  end
end
