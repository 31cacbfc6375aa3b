-- What became of an attempt at a webhook: it is delivered, tried again, given up, or its receiver wants no more of them.
-- ARGV: job id, which end of the job it told of, outcome: delivered | again | dead | disabled, why,
--       ms until it is tried again, ms beyond that after which its message counts as lost, ms to keep a dead letter
-- Returns: 1 | 0 if a later end of the job is to be told of meanwhile, or nothing is
local id, ends, outcome, why, pause, grace, dead_ttl = unpack(ARGV)
local MOST_DEAD = 10000
even_if_memory_is_full()
local key, now = webhook(id), now_ms()
local current, signer, address = unpack(redis.call('HMGET', key, 'ends', 'signer', 'address'))
if current ~= ends or on('ZSCORE', DEAD_WEBHOOKS, id) then return 0 end
redis.call('HSET', key, 'why', why)
if outcome == 'again' then
  redis.call('HSET', key, 'due', now + pause)
  on('ZADD', webhooks_of(signer), 0, id)
  on('ZADD', WEBHOOKS, now + pause + grace, id)
  count('webhooks_tried_again')
  return 1
end

forgive(id, signer)
count('webhooks_' .. outcome)
if outcome == 'dead' then
  redis.call('PEXPIRE', key, dead_ttl)
  on('ZADD', DEAD_WEBHOOKS, now, id)
  for _, oldest in ipairs(on('ZRANGE', DEAD_WEBHOOKS, 0, -1 - MOST_DEAD)) do
    redis.call('DEL', webhook(oldest))
    on('ZREM', DEAD_WEBHOOKS, oldest)
  end
else
  redis.call('DEL', key)
  if outcome == 'disabled' then on('ZADD', DISABLED, now, signer .. ' ' .. address) end
end
return 1
