-- DELETE: an open job is cancelled (its state stays readable), an ended one is deleted; texts and results go at once.
-- ARGV: id, result ttl ms.  Returns: gone | cancelled | deleted
local id, result_ttl = unpack(ARGV)
even_if_memory_is_full()
local key = record(id)
local state, caller = unpack(redis.call('HMGET', key, 'state', 'caller'))
if not state then return 'gone' end
local chunks = number_of_chunks(id)
for n = 0, chunks - 1 do
  on('ZREM', 'retort:dead', ticket(id, n))
end
if not is_open(state) then
  redis.call('DEL', key)
  on('ZREM', made_by(caller or ''), id)
  return 'deleted'
end
abandon(id, 'cancelled', result_ttl)
for n = 0, chunks - 1 do
  redis.call('HDEL', key, 't:' .. n, 'r:' .. n, 'e:' .. n)
end
return 'cancelled'
