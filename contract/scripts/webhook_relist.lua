-- A webhook that is owed is put back into the lists of which one was set aside.
-- ARGV: job id
local id = ARGV[1]
even_if_memory_is_full()
if redis.call('TYPE', webhook(id)).ok ~= 'hash' then return end
local signer, due = unpack(redis.call('HMGET', webhook(id), 'signer', 'due'))
if not (signer and tonumber(due)) then return end
if redis.call('PTTL', webhook(id)) >= 0 then
  on('ZADD', DEAD_WEBHOOKS, 'NX', now_ms(), id)
elseif not on('ZSCORE', WEBHOOKS, id) then
  on('ZADD', WEBHOOKS, due, id)
  on('ZADD', webhooks_of(signer), 0, id)
end
