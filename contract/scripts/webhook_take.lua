-- A notifier takes a webhook that is due. Nobody else does before its time is up or what became of it is known.
-- ARGV: job id, ms that an attempt has, most webhooks of one key at once, ms until one beyond that is looked at again,
--       ms that an address stays disabled
-- Returns: skip | taken, now, attempt, ends, since, texts, done, errors, finished, address, signer, state, model, version
local id, lease, most, later, disabled_ms = unpack(ARGV)
local NUMBERS = 7
even_if_memory_is_full()
local key, now = webhook(id), now_ms()
local function drop(signer)
  redis.call('DEL', key)
  forgive(id, signer or '')
  return {'skip'}
end

if redis.call('TYPE', key).ok ~= 'hash' then return drop() end
local found = redis.call('HMGET', key, 'due', 'ends', 'since', 'texts', 'done', 'errors', 'finished',
  'address', 'signer', 'state', 'model', 'version')
for n = 1, #found do
  if not found[n] or (n <= NUMBERS and not string.match(found[n], '^%d+$')) then return drop(found[9]) end
end
local due, address, signer = tonumber(found[1]), found[8], found[9]
if due > now or on('ZSCORE', DEAD_WEBHOOKS, id) then return {'skip'} end

on('ZREMRANGEBYSCORE', DISABLED, '-inf', now - disabled_ms)
if on('ZSCORE', DISABLED, signer .. ' ' .. address) then
  count('webhooks_disabled')
  return drop(signer)
end

if on('ZCOUNT', webhooks_of(signer), now, '+inf') >= tonumber(most) then
  on('ZADD', WEBHOOKS, now + later, id)
  return {'skip'}
end
redis.call('HSET', key, 'due', now + lease)
on('ZADD', webhooks_of(signer), now + lease, id)
on('ZADD', WEBHOOKS, now + lease, id)
return {'taken', now, on('HINCRBY', key, 'attempts', 1), unpack(found, 2)}
