-- The backlog of a model is counted anew from the records of all open jobs, because one of its counters was damaged.
-- ARGV: model
local model = ARGV[1]
even_if_memory_is_full()
local sums = {interactive_texts = 0, interactive_bytes = 0, bulk_texts = 0, bulk_bytes = 0}
for _, id in ipairs(on('ZRANGE', 'retort:deadlines', 0, -1)) do
  local found = redis.pcall('HMGET', record(id), 'model', 'lane')
  local counted, chunks = pcall(number_of_chunks, id)
  if counted and found[1] == model then
    for n = 0, chunks - 1 do
      local readable, chunk = pcall(get_chunk, id, n)
      local lane = found[2] or ''
      if readable and chunk and sums[lane .. '_texts'] and (chunk.state == 'queued' or is_held(chunk)) then
        sums[lane .. '_texts'] = sums[lane .. '_texts'] + chunk.texts
        sums[lane .. '_bytes'] = sums[lane .. '_bytes'] + chunk.bytes
      end
    end
  end
end
for name, sum in pairs(sums) do on('HSET', backlog(model), name, sum) end
for _, name in ipairs({'interactive_drained', 'bulk_drained'}) do
  local drained = redis.call('HGET', backlog(model), name)
  if drained and not string.match(drained, '^%d+$') then redis.call('HDEL', backlog(model), name) end
end
